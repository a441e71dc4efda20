# SPDX-License-Identifier: MIT
"""
hostile_leave_out.py - each lock and each barrier left out in each function that has it

Mistakes for hostile-mutants.py that nobody has to write down: unlocked/ROOM/FILE/FUNCTION
and unordered/ROOM/FILE/FUNCTION.
Where one function takes a lock and others of the file give it back, all of them are one
mistake, and FUNCTION is their names. Functions that do nothing but take or give back
(lock(), core_lock()) are no mistakes of their own: their callers are.
"""
import os, re

PAIRS = {'core_lock': 'core_unlock', 'host_lock': 'host_unlock', 'lock': 'unlock',
         'uiommu_iommufd_lock': 'uiommu_iommufd_unlock',
         'uiommu_iviommu_lock': 'uiommu_iviommu_unlock',
         'uiommu_vfio_lock': 'uiommu_vfio_unlock'}
HALVES = {'enter_ste'}     # take it, and mostly leave it to others to give it back
WRAPPERS = set(PAIRS) | set(PAIRS.values())
BARRIER = re.compile(r'^\t*port_dma_\w*mb\(\);.*\n', re.M)
FUNCTION = re.compile(r'^[A-Za-z][^\n;{}]*?\b(\w+)\([^;{}]*\)[^;{}]*\n\{\n.*?^\}\n', re.M | re.S)


def calls_of(name):
    return re.compile(r'(?<![\w>.])%s\((?:[^()]|\([^()]*\))*\)' % name)


def without(text, lock):
    for name in (lock, PAIRS[lock]):
        text = calls_of(name).sub('(void)0', text)
    return text


def of_file(text):
    """(names of functions, [(text, text without the lock)])"""
    for lock, unlock in PAIRS.items():
        across = []
        for f in FUNCTION.finditer(text):
            takes, gives = (bool(calls_of(n).search(f.group(0))) for n in (lock, unlock))
            if f.group(1) in WRAPPERS or not (takes or gives):
                continue
            piece = (f.group(0), without(f.group(0), lock))
            if takes and gives and f.group(1) not in HALVES:
                yield f.group(1), [piece]
            else:
                across.append((f.group(1), piece))
        if across:
            yield '+'.join(name for name, _ in across), [piece for _, piece in across]


def files_of(top, rooms, headers=()):
    for room in rooms:
        for line in open(os.path.join(top, 'src', room, 'SOURCES')):
            if line.strip():
                yield '%s/%s' % (room, line.strip())
    yield from headers


def locks_of(top, rooms):
    """(name, file, what it breaks, pairs of old and new text), room by room"""
    for file in files_of(top, rooms):
        for names, pieces in of_file(open(os.path.join(top, 'src', file)).read()):
            yield ('unlocked/%s/%s' % (file, names), 'src/' + file,
                   '%s() without its lock' % names.replace('+', '(), '), pieces)


def barriers_of(top, rooms, headers):
    """the same, of barriers: the first, the second, ... of a function is a mistake each"""
    for file in files_of(top, rooms, headers):
        for f in FUNCTION.finditer(open(os.path.join(top, 'src', file)).read()):
            for n, b in enumerate(BARRIER.finditer(f.group(0))):
                name = f.group(1) + ('#%d' % (n + 1) if n else '')
                yield ('unordered/%s/%s' % (file, name), 'src/' + file,
                       '%s() without its %s' % (name, b.group(0).strip().split('(')[0]),
                       [(f.group(0), f.group(0)[:b.start()] + f.group(0)[b.end():])])
