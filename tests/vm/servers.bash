# The machine as a server, and its hosts: 1 and 2, which have a network, a name, processes, mounts and
# a boot ID of their own.
# shellcheck shell=bash

# The server has an address for each protocol, so that one can be made not to answer.
export NFS3_ADDRESS=10.0.0.103
export NFS4_ADDRESS=10.0.0.104
export SMB_ADDRESS=10.0.0.105
MACHINE=${BASH_SOURCE[0]%/*}

start_network() {
	ip -batch - <<-LINES
		link set lo up
		link add bridge type bridge
		address add $NFS3_ADDRESS/24 dev bridge
		address add $NFS4_ADDRESS/24 dev bridge
		address add $SMB_ADDRESS/24 dev bridge
		link set bridge up
	LINES
	local host
	for host in 1 2; do
		ip netns add "host-$host"
		ip -batch - <<-LINES
			link add to-host-$host type veth peer name network netns host-$host
			link set to-host-$host master bridge up
		LINES
		ip -netns "host-$host" -batch - <<-LINES
			link set lo up
			address add 10.0.0.$host/24 dev network
			link set network up
		LINES
	done
}

# start_host NUMBER
start_host() {
	nsenter "--net=/run/netns/host-$1" unshare --uts --mount --pid --fork --kill-child --mount-proc \
		"$MACHINE/host" "$1" &
}

# What is served stands on ext4: tmpfs has no user attributes in Debian's kernel.
start_disk() {
	modprobe loop # which makes the device nodes
	truncate -s 64M /machine/disk
	mkfs.ext4 -q /machine/disk
	mkdir /machine/served
	mount -o loop /machine/disk /machine/served
	mkdir /machine/served/nfs /machine/served/smb
	chmod 777 /machine/served/*
}

start_nfs() {
	modprobe -a lockd nfsd
	# Locks are to be had at once, not when clients have had the time to come back after a restart.
	echo 3 >/proc/sys/fs/nfs/nlm_timeout
	echo 3 >/proc/sys/fs/nfs/nlm_grace_period
	echo _rpc:x:100:65534::/:/usr/sbin/nologin >>/etc/passwd
	"$MACHINE/rpc"
	mount -t nfsd none /proc/fs/nfsd
	mount -t rpc_pipefs none /var/lib/nfs/rpc_pipefs
	echo 10 >/proc/fs/nfsd/nfsv4leasetime
	echo 10 >/proc/fs/nfsd/nfsv4gracetime
	touch /etc/exports
	: >/var/lib/nfs/etab
	exportfs -o rw,no_root_squash,no_subtree_check,insecure,fsid=0 '*:/machine/served/nfs'
	rpc.nfsd 4
	rpc.mountd
	echo Y >/proc/fs/nfsd/v4_end_grace
}

start_smb() {
	mkdir -p /machine/samba
	cat >/machine/samba.conf <<-CONF
		[global]
		server role = standalone
		map to guest = bad user
		disable spoolss = yes
		load printers = no
		smb ports = 445
		disable netbios = yes
		interfaces = $SMB_ADDRESS
		bind interfaces only = yes
		pid directory = /machine/samba
		lock directory = /machine/samba
		state directory = /machine/samba
		cache directory = /machine/samba
		private dir = /machine/samba
		ncalrpc dir = /machine/samba
		[smb]
		path = /machine/served/smb
		read only = no
		guest ok = yes
		force user = root
	CONF
	smbd -D -s /machine/samba.conf -l /machine/samba
}

start_servers() {
	local host
	start_network
	start_disk
	start_smb
	start_nfs
	mkfifo /machine/up
	"$MACHINE/agent" 0 &
	start_host 1
	start_host 2
	# shellcheck disable=SC2034 # each says that it is up
	for host in 0 1 2; do read -r _; done <>/machine/up
}
