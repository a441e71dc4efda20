#!/bin/sh
# SPDX-License-Identifier: MIT
# usage: run.sh ELF [OPTION...]      boots it; the exit code is the image's (0, 1, or 2)
#
# QEMU 9.1 or newer: older ones have no stage 2 and check less. $QEMU names another
# than the one in the path. ./dev qemu smoke gets one, builds and runs. edu is behind
# a port, so that its StreamID is one with two levels of table. $DISK is an image for the
# NVMe drive. OPTIONs are QEMU's.
set -eu
elf=$1
shift
# a disk, if there is one, is the drive's
drive=
[ -z "${DISK:-}" ] || drive=",drive=disk -drive file=$DISK,if=none,id=disk,format=raw"
# shellcheck disable=SC2086
exec timeout "${TIMEOUT:-60}" "${QEMU:-qemu-system-aarch64}" -M virt,iommu=smmuv3,gic-version=3 \
	-cpu max -m 896 -nographic -semihosting -nic none -kernel "$elf" \
	-device pcie-root-port,id=rp,bus=pcie.0,addr=2 \
	-device nvme,serial=uiommu,bus=rp,addr=0.0,multifunction=on$drive \
	-device edu,bus=rp,addr=0.5,dma_mask=0xffffffffffffffff "$@" </dev/null
