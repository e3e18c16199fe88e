# The file systems of the virtual machine, on both of its hosts, beside those of tests/fs/kinds.bash. What follows `here` is mounted on one.
# shellcheck shell=bash disable=SC2034 # run looks at the traits

MACHINE=${BASH_SOURCE[0]%/*}
# shellcheck source=tests/vm/servers.bash
. "$MACHINE/servers.bash"
export OTHER_HOST="$MACHINE/request 2"

# shellcheck source=tests/fs/kinds.bash
. "$MACHINE/../fs/kinds.bash"
KINDS=(nfs3 nfs4 cifs 9p)
[[ ${MATRIX:-} != all ]] || KINDS+=(cifs_nobrl virtiofs virtiofs_locks vfat)

# on_both KIND DIRECTORY
on_both() {
	"here_$1" "$2"
	# shellcheck disable=SC2016 # the other host expands it
	$OTHER_HOST bash -c '. "$1"; "here_$2" "$3"' bash "${BASH_SOURCE[0]}" "$1" "$2"
}

traits_nfs3='spans undated'
mount_nfs3() {
	on_both nfs3 "$1"
}
here_nfs3() {
	mount -t nfs -o retry=0,vers=3 "$NFS3_ADDRESS:/machine/served/nfs" "$1"
}

traits_nfs4='spans'
mount_nfs4() {
	on_both nfs4 "$1"
}
here_nfs4() {
	mount -t nfs -o retry=0,vers=4.2 "$NFS4_ADDRESS:/" "$1"
}

# cifs OPTIONS DIRECTORY: with a connection of its own, or the mount would share an older one's locks.
cifs() {
	mount -t cifs -o "guest,vers=3.1.1,nosharesock$1" "//$SMB_ADDRESS/smb" "$2"
}

traits_cifs='spans mandatory'
mount_cifs() {
	on_both cifs "$1"
}
here_cifs() {
	cifs '' "$1"
}

traits_cifs_nobrl='local'
mount_cifs_nobrl() {
	on_both cifs_nobrl "$1"
}
here_cifs_nobrl() {
	cifs ,nobrl "$1"
}

# The number of a host, which has a device of its own for each folder that the real one shares.
number() {
	sed s/host-// /proc/sys/kernel/hostname
}

traits_9p='local'
mount_9p() {
	on_both 9p "$1"
}
here_9p() {
	mount -t 9p -o trans=virtio,version=9p2000.L "shared-$(number)" "$1"
}

traits_virtiofs='local'
mount_virtiofs() {
	on_both virtiofs "$1"
}
here_virtiofs() {
	mount -t virtiofs "virtiofs-$(number)" "$1"
}

traits_virtiofs_locks='unlockable'
mount_virtiofs_locks() {
	on_both virtiofs_locks "$1"
}
here_virtiofs_locks() {
	mount -t virtiofs "virtiofs-locks-$(number)" "$1"
}
