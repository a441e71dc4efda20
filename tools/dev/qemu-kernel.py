#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
qemu-kernel.py QEMU ROOT UIOMMU DIR - `uiommu walk' and `show' on a kernel that is not ours

Boots the Debian arm64 kernel unpacked in ROOT behind QEMU's SMMUv3, with a virtio disk and
an NVMe drive; when both are in use stops it, saves its memory, and walks the DMA addresses
of their queues to physical pages. That they are the right ones is seen from what QEMU's own
device models say of the same queues. DIR gets every file. Exit: 0, or 1 with what was not so.
"""
import gzip
import json
import lzma
import os
import re
import socket
import struct
import subprocess
import sys
import time

qemu, root, uiommu, work = sys.argv[1:5]

RAM, RAM_BYTES = 0x40000000, 256 << 20
SMMU = 0x09050000			# of QEMU's virt board
MODULES = ["virtio_blk", "nvme", "qemu_fw_cfg"]
NVME_ASQ, NVME_ACQ = 0x28, 0x30		# admin queues: registers of the NVMe specification
NVME_IDENTIFY = 0x06
BOOT_SECONDS = 180

failed = []
checks = 0


def check(good, what):
    global checks
    checks += 1
    print(("  ok    " if good else "  FAIL  ") + what, flush=True)
    if not good:
        failed.append(what)
    return good


def path(name):
    return os.path.join(work, name)


# ---- the initramfs: a busybox, some modules, and a script ----

INIT = """#!/bin/busybox sh
busybox=/bin/busybox
$busybox mount -t devtmpfs dev /dev
$busybox mount -t sysfs sys /sys
for m in %s; do
	$busybox insmod /$m.ko || echo "no $m"
done
until [ -e /dev/vda ] && [ -e /dev/nvme0n1 ]; do
	$busybox sleep 0.1
done
$busybox cat /sys/firmware/qemu_fw_cfg/by_name/etc/acpi/tables/raw >/dev/vda
$busybox dd if=/dev/nvme0n1 of=/dev/null bs=4096 count=16
$busybox sync
for d in /sys/kernel/iommu_groups/*/devices/*; do
	echo "group: $d"
done
echo "everything is in use"
while :; do $busybox sleep 1000; done
"""


def modules():
    """Those wanted and what they need, in an order in which they load."""
    there, order = {}, []
    for where, _, names in os.walk(os.path.join(root, "lib/modules")):
        for n in names:
            if ".ko" in n:
                there[n.split(".ko")[0].replace("-", "_")] = os.path.join(where, n)

    def add(name):
        name = name.replace("-", "_")
        if name not in there or name in [n for n, _ in order]:
            return			# built in
        with open(there[name], "rb") as f:
            data = f.read()
        data = lzma.decompress(data) if there[name].endswith(".xz") else data
        needs = re.search(rb"\0depends=([^\0]*)\0", data)
        for n in needs.group(1).decode().split(",") if needs else []:
            if n:
                add(n)
        order.append((name, data))

    for m in MODULES:
        add(m)
    return order


def cpio(files):
    out = b""
    for i, (name, mode, data) in enumerate(files + [("TRAILER!!!", 0, b"")]):
        head = "070701" + "".join("%08x" % v for v in (
            i + 1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0))
        out += head.encode() + name.encode() + b"\0"
        out += b"\0" * (-len(out) % 4) + data
        out += b"\0" * (-len(out) % 4)
    return out


def make_initramfs():
    mods = modules()
    with open(os.path.join(root, "bin/busybox"), "rb") as f:
        busybox = f.read()
    files = [(d, 0o40755, b"") for d in ("bin", "dev", "sys")]
    files += [("bin/busybox", 0o100755, busybox)]
    files += [(name + ".ko", 0o100644, data) for name, data in mods]
    files += [("init", 0o100755, (INIT % " ".join(n for n, _ in mods)).encode())]
    with open(path("initrd"), "wb") as f:
        f.write(gzip.compress(cpio(files), 1))


# ---- QEMU ----

class Machine:
    def __init__(self, kernel):
        for disk in ("virtio.img", "nvme.img"):
            with open(path(disk), "wb") as f:
                f.truncate(1 << 20)
        self.proc = subprocess.Popen([
            qemu, "-M", "virt,iommu=smmuv3,gic-version=3", "-cpu", "cortex-a76",
            "-m", str(RAM_BYTES >> 20), "-display", "none", "-nic", "none", "-no-reboot",
            "-serial", "file:" + path("console"),
            "-qmp", "unix:" + path("qmp") + ",server=on,wait=off",
            "-drive", "if=none,id=v,format=raw,file=" + path("virtio.img"),
            "-device", "virtio-blk-pci,id=vblk,drive=v,addr=4,disable-legacy=on,"
            "iommu_platform=on,indirect_desc=off",
            "-drive", "if=none,id=n,format=raw,file=" + path("nvme.img"),
            "-device", "nvme,id=nvme,serial=1,drive=n,addr=5",
            "-kernel", kernel, "-initrd", path("initrd"),
            "-append", "console=ttyAMA0 loglevel=7 panic=-1"])
        try:
            self.connect()
        except BaseException:
            self.proc.kill()
            raise

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        for _ in range(100):
            try:
                self.sock.connect(path("qmp"))
                break
            except OSError:
                time.sleep(0.1)
        self.file = self.sock.makefile("rw")
        self.file.readline()
        self.qmp("qmp_capabilities")

    def qmp(self, command, **arguments):
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline())
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise RuntimeError("%s: %s" % (command, answer["error"]["desc"]))

    def monitor(self, line):
        return self.qmp("human-monitor-command", **{"command-line": line})

    def word(self, pa, size):
        """What a load of @size bytes at @pa gives: memory, or a register."""
        text = self.monitor("xp /1%sx 0x%x" % ("gw"[size == 4], pa))
        return int(text.split(":")[1], 16)

    def wait(self):
        for _ in range(BOOT_SECONDS * 5):
            with open(path("console"), errors="replace") as f:
                text = f.read()
            if "everything is in use" in text or self.proc.poll() is not None:
                return "everything is in use" in text
            time.sleep(0.2)
        return False


# ---- walks ----

def run(*arguments):
    p = subprocess.run([uiommu, *arguments], capture_output=True, text=True, check=False)
    return p.returncode, p.stdout, p.stderr


class Memory:
    def __init__(self, name):
        with open(name, "rb") as f:
            self.bytes = f.read()

    def get(self, pa, fmt):
        return struct.unpack_from("<" + fmt, self.bytes, pa - RAM)


def walk(where, regs, sid, iova, *more):
    """The physical address, or None."""
    arguments = ["walk", *where, "--json", "--sid", hex(sid), "--iova", hex(iova), *more]
    for name, value in regs.items():
        arguments += ["--reg", "%s=0x%x" % (name, value)]
    code, out, err = run(*arguments)
    if code != 0:
        print(out, err)
        return None
    return int(json.loads(out)["result"]["pa"], 16)


def registers(m):
    regs = {name: m.word(SMMU + at, 4) for name, at in (
        ("IDR0", 0), ("IDR1", 4), ("IDR3", 0xc), ("IDR5", 0x14), ("CR0", 0x20), ("CR2", 0x2c),
        ("GBPA", 0x44), ("STRTAB_BASE_CFG", 0x88))}
    regs["STRTAB_BASE"] = m.word(SMMU + 0x80, 8)
    return regs


def virtio(m, memory, where, regs, sid):
    dev = [d for d in m.qmp("x-query-virtio") if d["name"] == "virtio-blk"][0]["path"]
    q = m.qmp("x-query-virtio-queue-status", path=dev, queue=0)
    pa = {}
    for ring, write in (("desc", False), ("avail", False), ("used", True)):
        iova = q["vring-" + ring]
        pa[ring] = walk(where, regs, sid, iova, *(["--write"] if write else []))
        if not check(pa[ring] is not None and pa[ring] != iova, "virtio-blk's %s ring: IOVA "
                     "0x%x is at 0x%x" % (ring, iova, pa[ring] or 0)):
            return
    idx = memory.get(pa["avail"], "HH")[1]
    check(idx == q["last-avail-idx"] and idx > 0, "there the guest has made %d requests "
          "available, and QEMU's device has taken %d" % (idx, q["last-avail-idx"]))
    idx = memory.get(pa["used"], "HH")[1]
    check(idx == q["used-idx"], "and given back %d, which is what QEMU's device says" % idx)
    e = m.qmp("x-query-virtio-queue-element", path=dev, queue=0, index=0)
    seen = {(d["addr"], d["len"]) for d in e["descs"]}
    ours = {memory.get(pa["desc"] + 16 * i, "QI") for i in range(q["vring-num"])}
    check(all(n for _, n in seen) and len(seen) > 1 and seen <= ours, "its descriptors %s are among those found there"
          % ", ".join("0x%x+%d" % d for d in sorted(seen)))
    return q["vring-desc"], pa["desc"]


def nvme(m, memory, where, regs, sid):
    bar = re.search(r"Bus +0, device +5, function 0:.*?BAR0: 64 bit memory at 0x([0-9a-f]+)",
                    m.monitor("info pci"), re.S)
    bar = int(bar.group(1), 16)
    for reg, what, write in ((NVME_ASQ, "submission", False), (NVME_ACQ, "completion", True)):
        iova = m.word(bar + reg, 8)
        pa = walk(where, regs, sid, iova, *(["--write"] if write else []))
        if not check(pa is not None and pa != iova, "NVMe's admin %s queue: IOVA 0x%x is at "
                     "0x%x" % (what, iova, pa or 0)):
            return
        if not write:
            op = memory.get(pa, "B")[0]
            check(op == NVME_IDENTIFY, "the first command there is Identify (opcode 0x%x)" % op)
        else:
            dw2, dw3 = memory.get(pa + 8, "II")
            check(dw2 >> 16 == 0 and dw3 >> 16 & 1 == 1 and dw3 >> 17 == 0, "the first "
                  "completion there is of queue 0, done, without an error")


def shown(m):
    code, out, err = run("show", path("qemu.dtb"))
    check(code in (0, 1) and "smmuv3@9050000" in out and "StreamID 0x0 to 0xffff" in out,
          "show: QEMU's devicetree")
    print(out + err)
    with open(path("virtio.img"), "rb") as f:
        tables = f.read()
    at = tables.find(b"IORT")
    if not check(at >= 0, "the guest found QEMU's ACPI tables, an IORT among them"):
        return
    size = struct.unpack_from("<I", tables, at + 4)[0]
    iort = bytearray(tables[at:at + size])
    iort[9] = -sum(iort) & 0xff		# what firmware does before anybody sees them
    with open(path("iort"), "wb") as f:
        f.write(iort)
    code, out, err = run("show", "--iort", path("iort"))
    check(code == 0 and "SMMUv3 at 0x9050000" in out and "checksum" not in out, "show: QEMU's own IORT, %d bytes, "
          "revision %d" % (size, tables[at + 8]))
    print(out + err)


def main():
    kernel = [f for f in os.listdir(os.path.join(root, "boot")) if f.startswith("vmlinuz")][0]
    make_initramfs()
    subprocess.run([qemu, "-M", "virt,iommu=smmuv3,gic-version=3,dumpdtb=" + path("qemu.dtb"),
                    "-cpu", "cortex-a76", "-m", str(RAM_BYTES >> 20), "-display", "none", "-nic", "none"],
                   check=True, capture_output=True)
    start = time.time()
    m = Machine(os.path.join(root, "boot", kernel))
    try:
        if not check(m.wait(), "%s is up, and uses its disks, after %.1f s" % (
                kernel, time.time() - start)):
            with open(path("console"), errors="replace") as f:
                print(f.read()[-3000:])
            return
        m.qmp("stop")
        m.qmp("pmemsave", val=RAM, size=RAM_BYTES, filename=path("memory"))
        m.qmp("dump-guest-memory", paging=False, protocol="file:" + path("core"))
        regs = registers(m)
        memory = Memory(path("memory"))
        where = ["--mem", "0x%x:%s" % (RAM, path("memory"))]
        ring = virtio(m, memory, where, regs, 4 << 3)
        nvme(m, memory, where, regs, 5 << 3)
        if ring:
            check(walk(["--dump", path("core")], regs, 4 << 3, ring[0]) == ring[1],
                  "the same from what QEMU's dump-guest-memory writes")
            given = [a for n, v in regs.items() for a in ("--reg", "%s=0x%x" % (n, v))]
            _, out, _ = run("walk", *where, *given, "--sid", hex(4 << 3), "--iova",
                            hex(ring[0]))
            print(out)
            code, out, _ = run("walk", *where, *given, "--sid", hex(4 << 3), "--iova", "0x1000")
            check(code == 1 and "F_TRANSLATION" in out, "an address that nobody mapped faults")
        shown(m)
    finally:
        m.proc.kill()
        m.proc.wait()


main()
print("%d checks, %d failed" % (checks, len(failed)))
sys.exit(1 if failed else 0)
