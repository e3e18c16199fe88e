#!/usr/bin/env bats
# Building and installing, each in a copy of the tree.

load helper

# copy_tree DIRECTORY: what make dist packs, and nothing of the make that may have started us.
copy_tree() {
	need gcc make
	unset MAKEFLAGS MFLAGS MAKELEVEL CC CPPFLAGS LDFLAGS LDLIBS BUILD SANITIZE LINKAGE JOBS TESTS
	unset PREFIX DESTDIR
	export CFLAGS=-O0 # builds faster
	mkdir "$1"
	(cd "$TREE" && cp -r .ci .clang-format .clang-tidy .gitignore LICENSE Makefile README.md \
		man src tests "$OLDPWD/$1")
}

# works BINARY: it locks and runs a command.
works() {
	hold lock
	run -75 "$1" lock true
	[[ $output == "onlyone: lock: held by PID $HOLDER (sh)" ]]
	release
	run -0 "$1" lock echo ran
	[[ $output == ran ]]
}

# linkage BINARY: `pie` or `fixed`, with an interpreter (ld.so) or without.
linkage() {
	need readelf
	readelf -hl "$1" | awk '
		/^ *Type: *DYN/ { pie = 1 }
		/INTERP/ { interpreter = 1 }
		END { print pie ? "pie" : "fixed", interpreter ? "dynamic" : "static" }'
}

installed() {
	(cd "$1" && find . ! -type d -printf '%m %P\n' | sort)
}

@test "make install puts the binary, the manual page and the completions below DESTDIR and PREFIX" {
	copy_tree copy
	(umask 077 && make -C copy install DESTDIR="$PWD/root" PREFIX=/opt/onlyone)
	[[ $(installed root) == "644 opt/onlyone/share/bash-completion/completions/onlyone
644 opt/onlyone/share/fish/vendor_completions.d/onlyone.fish
644 opt/onlyone/share/man/man1/onlyone.1
644 opt/onlyone/share/zsh/site-functions/_onlyone
755 opt/onlyone/bin/onlyone" ]]
	[[ $(find root -type d ! -perm 755 -path '*/opt/onlyone/*') == '' ]]
	cmp copy/man/onlyone.1 root/opt/onlyone/share/man/man1/onlyone.1
	works root/opt/onlyone/bin/onlyone
}

@test "the shells find their completions where make install puts them" {
	need zsh fish
	[[ -e /usr/share/bash-completion/bash_completion ]] ||
		missing bash-completion "no bash-completion" "apt-get install bash-completion"
	copy_tree copy
	make -C copy install DESTDIR="$PWD/root"
	export XDG_DATA_DIRS=$PWD/root/usr/local/share HOME=$PWD
	run -0 bash -c '. /usr/share/bash-completion/bash_completion
		__load_completion onlyone && complete -p onlyone'
	[[ $output == 'complete -F _onlyone onlyone' ]]
	# shellcheck disable=SC2016 # zsh expands it
	run -0 zsh -fc 'fpath=(root$^fpath $fpath) && autoload -Uz compinit && compinit -u -D
		print -r -- $_comps[onlyone]'
	[[ $output == _onlyone ]]
	run -0 fish -c 'complete -C "onlyone --sta"'
	[[ $output == --status$'\t'* ]]
}

@test "make install takes /usr/local, and make uninstall leaves nothing but what is not its own" {
	copy_tree copy
	make -C copy install DESTDIR="$PWD/root"
	[[ -x root/usr/local/bin/onlyone ]]
	touch root/usr/local/bin/other
	make -C copy uninstall DESTDIR="$PWD/root"
	[[ $(installed root) == '644 usr/local/bin/other' ]]
}

@test "make dist packs the same bytes, whoever does it and when" {
	copy_tree one
	cp -r one two
	chmod -R go-rwx two
	find two -exec touch -d 2001-02-03 {} +
	make -C one dist
	(umask 077 && make -C two dist)
	cmp one/onlyone-*.tar.gz two/onlyone-*.tar.gz
}

@test "what make dist packs can be built, and is all that is there" {
	copy_tree copy
	make -C copy dist
	tar -xzf copy/onlyone-*.tar.gz
	make -C onlyone-* all
	works "$(echo "$PWD"/onlyone-*/build/onlyone)"
	rm -r onlyone-*/build
	diff -r -x '*.tar.gz' copy onlyone-*
}

@test "DESTDIR may have a blank" {
	copy_tree copy
	make -C copy install DESTDIR="$PWD/a b"
	[[ -x "a b/usr/local/bin/onlyone" ]]
	make -C copy uninstall DESTDIR="$PWD/a b"
	[[ -z $(find "a b" ! -type d) ]]
}

@test "two builds in different directories give the same bytes" {
	copy_tree one
	mkdir -p deeper
	cp -r one deeper/two
	make -C one CFLAGS='-O2 -g'
	make -C deeper/two CFLAGS='-O2 -g'
	cmp one/build/onlyone deeper/two/build/onlyone
}

@test "musl-gcc builds a static binary that works, without a warning" {
	need musl-gcc
	copy_tree copy
	make -C copy CC=musl-gcc CFLAGS='-O1 -Werror'
	works copy/build/onlyone
	[[ $(linkage copy/build/onlyone) == 'fixed static' ]]
}

@test "clang builds a binary that works" {
	need clang
	copy_tree copy
	make -C copy CC=clang
	works copy/build/onlyone
}

@test "LINKAGE chooses how the binary is linked" {
	copy_tree copy
	for choice in dynamic:'pie dynamic' static:'fixed static' static-pie:'pie static'; do
		rm -f copy/build/onlyone
		make -C copy LINKAGE="${choice%:*}"
		[[ $(linkage copy/build/onlyone) == "${choice#*:}" ]]
		works copy/build/onlyone
	done
}

@test "by default the binary is static, and dynamic where the toolchain has no static libc" {
	copy_tree copy
	printf '%s\n' '#!/bin/sh' 'case $* in *-static*) exit 1 ;; esac' 'exec gcc "$@"' >gcc-dynamic
	chmod +x gcc-dynamic
	make -C copy
	[[ $(linkage copy/build/onlyone) == 'pie static' ]]
	rm copy/build/onlyone
	make -C copy CC="$PWD/gcc-dynamic"
	[[ $(linkage copy/build/onlyone) == 'pie dynamic' ]]
}

@test "the user's CFLAGS, CPPFLAGS and LDFLAGS have their effect" {
	need readelf
	copy_tree copy
	echo '__attribute__((used)) static const char marker[] = "from CPPFLAGS";' >marker.h
	make -C copy CFLAGS='-O0 -g' CPPFLAGS="-include $PWD/marker.h" LDFLAGS=-Wl,--build-id=0xfee1dead
	grep -q 'from CPPFLAGS' copy/build/onlyone
	readelf -S copy/build/onlyone >sections
	grep -q '\.debug_info' sections
	readelf -n copy/build/onlyone >notes
	grep -q 'Build ID: fee1dead' notes
}

@test "the user's CFLAGS take neither the version nor the hardening away" {
	need readelf
	copy_tree copy
	make -C copy CFLAGS=-O0 LINKAGE=dynamic
	run -0 copy/build/onlyone --version
	[[ $output == "onlyone $(sed -n 's/^VERSION = //p' copy/Makefile)" ]]
	readelf -dlW --dyn-syms copy/build/onlyone >found
	grep -q 'FLAGS_1.* NOW' found
	grep -q 'GNU_RELRO' found
	grep -q 'GNU_STACK .* RW  ' found
	grep -q '__stack_chk_fail' found
}

@test "a changed header builds anew what includes it, and else nothing is" {
	copy_tree copy
	make -C copy
	make -C copy -q
	touch copy/src/record.h
	run -1 make -C copy -q
	run -0 make -C copy
	[[ $output == *record.c* && $output != *signals.c* ]]
}

@test "another compiler or other flags build anew, the same ones nothing" {
	need musl-gcc
	copy_tree copy
	make -C copy
	make -C copy CC=musl-gcc
	[[ $(linkage copy/build/onlyone) == 'fixed static' ]]
	make -C copy CC=musl-gcc -q
	run -1 make -C copy -q
	run -2 make -C copy LINKAGE=other
	[[ $output == *"LINKAGE is static-pie, static or dynamic, not other"* ]]
}

@test "make clean leaves the sources" {
	copy_tree copy
	cp -r copy before
	make -C copy all dist
	make -C copy clean
	diff -r before copy
}
