#!/bin/sh
# SPDX-License-Identifier: MIT
# usage: run.sh ELF      boots it; the exit code is the image's (0, 1, or 2)
#
# QEMU 9.1 or newer: older ones have no stage 2 and check less. $QEMU names another
# than the one in the path. ./dev qemu smoke gets one, builds and runs.
set -eu
exec timeout 60 "${QEMU:-qemu-system-aarch64}" -M virt,iommu=smmuv3,gic-version=3 -cpu max \
	-m 512 -nographic -semihosting -nic none -kernel "$1" \
	-device edu,dma_mask=0xffffffffffffffff </dev/null
