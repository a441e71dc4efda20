# SPDX-License-Identifier: MIT
"""
hostile_locks.py - each lock left out in each function that takes it

Mistakes for hostile-mutants.py that nobody has to write down: unlocked/ROOM/FILE/FUNCTION.
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
FUNCTION = re.compile(r'^[a-z][^\n;{}]*?\b(\w+)\([^;{}]*\)[^;{}]*\n\{\n.*?^\}\n', re.M | re.S)


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


def all_of(top, rooms):
    """(name, file, what it breaks, pairs of old and new text), room by room"""
    for room in rooms:
        for line in open(os.path.join(top, 'src', room, 'SOURCES')):
            file = 'src/%s/%s' % (room, line.strip())
            if not line.strip():
                continue
            for names, pieces in of_file(open(os.path.join(top, file)).read()):
                yield ('unlocked/%s/%s' % (file[4:], names), file,
                       '%s() without its lock' % names.replace('+', '(), '), pieces)
