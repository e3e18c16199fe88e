# The file systems: `mount_KIND DIRECTORY` makes one and mounts it there, what it needs beside it
# being in the current directory; `traits_KIND` says what it is like (see helper.bash).
# shellcheck shell=bash disable=SC2034 # run looks at the traits

# needs TOOL PACKAGE, needs_kernel TYPE: end what is to be mounted.
needs() {
	command -v "$1" >/dev/null || lacking "$2" "$1 is missing: apt-get install $2"
}

needs_kernel() {
	grep -qw "$1" /proc/filesystems || modprobe -q "$1" 2>/dev/null || lacking "$1" "this kernel has no $1"
}

# on_disk TYPE DIRECTORY MKFS...: a file system of 400 MB, which take no space.
on_disk() {
	local type=$1 directory=$2 disk
	shift 2
	needs_kernel "$type"
	disk=$(mktemp disk.XXXXXX)
	truncate -s 400M "$disk"
	"$@" "$disk" >mkfs.log 2>&1 || { cat mkfs.log; return 1; }
	mount -t "$type" -o loop "$disk" "$directory"
}

KINDS=(ext4 ext4_whole_seconds xfs btrfs btrfs_subvolume overlay overlay_on_two tmpfs vfat bindfs bindfs_forwarding
	sshfs fuse_overlayfs)

traits_ext4=moved
mount_ext4() {
	needs mkfs.ext4 e2fsprogs
	on_disk ext4 "$1" mkfs.ext4 -q
}

traits_ext4_whole_seconds=moved
# Small inodes have no room for fractions of a second.
mount_ext4_whole_seconds() {
	needs mkfs.ext4 e2fsprogs
	on_disk ext4 "$1" mkfs.ext4 -q -I 128
	touch "$1/probe"
	[[ $(stat -c %y "$1/probe") == *.000000000* ]]
}

traits_xfs=moved
mount_xfs() {
	needs mkfs.xfs xfsprogs
	on_disk xfs "$1" mkfs.xfs -q
}

traits_btrfs=moved
mount_btrfs() {
	needs mkfs.btrfs btrfs-progs
	on_disk btrfs "$1" mkfs.btrfs -q
}

traits_btrfs_subvolume=moved
mount_btrfs_subvolume() {
	needs mkfs.btrfs btrfs-progs
	mkdir whole
	on_disk btrfs whole mkfs.btrfs -q
	btrfs -q subvolume create whole/subvolume
	mount -t btrfs -o loop,subvol=subvolume disk.* "$1"
}

traits_overlay='layers moved'
# Its layers on a file system that can be the upper one, which that below /tmp need not be.
mount_overlay() {
	needs_kernel overlay
	mkdir layers
	mount_ext4 layers
	mkdir layers/{lower,upper,work}
	touch layers/lower/below
	mount -t overlay -o lowerdir=layers/lower,upperdir=layers/upper,workdir=layers/work none "$1"
}

traits_overlay_on_two='layers moved'
mount_overlay_on_two() {
	needs_kernel overlay
	mkdir lower layers
	mount_ext4 lower
	mount_ext4 layers
	mkdir layers/{upper,work}
	touch lower/below
	mount -t overlay -o lowerdir=lower,upperdir=layers/upper,workdir=layers/work none "$1"
}

traits_tmpfs=moved
mount_tmpfs() {
	mount -t tmpfs none "$1"
}

traits_vfat=undated
mount_vfat() {
	needs mkfs.vfat dosfstools
	on_disk vfat "$1" mkfs.vfat
}

needs_fuse() {
	needs "$1" "$1"
	needs_kernel fuse
	[[ -e /dev/fuse ]] || mknod /dev/fuse c 10 229
}

mount_bindfs() {
	needs_fuse bindfs
	mkdir below
	bindfs below "$1"
}

# Forwarded locks show nowhere and are given back when any descriptor is closed.
traits_bindfs_forwarding=unlockable
mount_bindfs_forwarding() {
	needs_fuse bindfs
	mkdir below
	bindfs --multithreaded --enable-lock-forwarding below "$1"
}

traits_sshfs='local undated'
mount_sshfs() {
	local address=127.9.$((RANDOM % 256)).$((1 + RANDOM % 255))
	needs_fuse sshfs
	needs sshd openssh-server
	ssh-keygen -q -t ed25519 -N '' -f host_key
	ssh-keygen -q -t ed25519 -N '' -f key
	cat >sshd.conf <<-CONF
		ListenAddress $address:7000
		HostKey $PWD/host_key
		AuthorizedKeysFile $PWD/key.pub
		PermitRootLogin yes
		StrictModes no
		UsePAM no
		PidFile $PWD/sshd.pid
		Subsystem sftp internal-sftp
	CONF
	mkdir below
	[[ -e /run/sshd ]] || { mount -t tmpfs none /run && mkdir /run/sshd; }
	"$(command -v sshd)" -f sshd.conf -E sshd.log
	until [[ -s sshd.pid ]]; do sleep 0.01; done
	sshfs -p 7000 -o "IdentityFile=$PWD/key,StrictHostKeyChecking=no,UserKnownHostsFile=/dev/null" \
		"root@$address:$PWD/below" "$1"
}

traits_fuse_overlayfs=moved
mount_fuse_overlayfs() {
	needs_fuse fuse-overlayfs
	mkdir {lower,upper,work}
	fuse-overlayfs -o lowerdir=lower,upperdir=upper,workdir=work "$1"
}
