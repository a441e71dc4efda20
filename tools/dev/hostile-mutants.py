#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
hostile-mutants.py - ./dev hostile --mutants: does the temper catch what people forget?

Each entry of tests/hostile/mutants.txt is one mistake: a piece of a source file, and
what stands there instead. A copy of src/ gets it (the checkout is not touched, and no
product build knows of any of this), is compiled with the hostile port, and run under
seed after seed until one fails. A mistake that no seed catches fails the whole. One whose
first line ends in "guests" is run in tests/driver/nested_hostile.c, which has VMs: one
thread, the port as it is, the same hardware. One that ends in "servers" in
tests/hostile/servers, which has programs that call the iommufd and VFIO servers. One that
ends in "calls" in tests/hostile/calls, where any call of the library meets any other.

Besides, each lock is left out in each function that takes it (hostile_leave_out.py), in calls
first, and where nothing comes of it there, among the threads; and each barrier. Which may be
left out, and why, is at the head of the list.

  hostile-mutants.py [--check] [--seeds N] [--first N] [--jobs N] [--only NAME[,NAME]] [--sample N]

--check only looks whether each piece is still in its file, once, and lets a few that are
not pass. A mistake has 1500 seeds, a (rare) one four times as many. --sample runs every N-th
of those that fit and are not rare.
"""
import argparse, concurrent.futures, fnmatch, os, re, shutil, subprocess, sys, time

import hostile_leave_out

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUT = os.path.join(TOP, 'build', 'hostile')
ENOUGH = 40          # that fit
ROOMS = ('pt', 'core', 'smmuv3')
FLAGS = ['-O1', '-std=gnu11', '-w', '-fno-strict-aliasing', '-I' + TOP + '/include',
         '-I' + TOP]
# as in tests/hostile/meson.build: ordinary accesses yield
HOSTILE = ['-DUIOMMU_PORT_HEADER="hostile/arch.h"', '-DUIOMMU_DMA_QUEUE=4u']
PLAIN = ['-fsanitize=thread', '--param', 'tsan-instrument-func-entry-exit=0']


class World:
    """what a mistake is run in"""
    def __init__(self, name, flags, plain, rooms, test, libs, servers=(), times=1,
                 without='', cap=1 << 30):
        self.name, self.flags, self.plain, self.libs = name, flags, plain, libs
        self.library, self.times, self.cap = ROOMS + servers, times, cap
        self.rest = [d + '/' + f for d in rooms for f in sorted(os.listdir(os.path.join(TOP, d)))
                     if f.endswith('.c') and d + '/' + f != without] + test

    def seeds(self, n):
        return min(n * self.times, self.cap)

    def run(self, program, seeds, steps, first):
        """(seed, what it says), or None"""
        if self.name == 'guests':
            r = subprocess.run([program], capture_output=True, text=True, timeout=900,
                               env=dict(os.environ, UIOMMU_SEEDS=str(seeds)))
            return re.search(r'UIOMMU_SEED=(\S+): (?:ERROR: )?(.*)$', r.stdout + r.stderr,
                             flags=re.M) or (r.returncode and re.match(
                                 '(.*)()', 'a check of the test itself'))
        r = subprocess.run([program, '--seeds', str(self.seeds(seeds)), '--steps', str(steps),
                            '--first', str(first), '--quick'],
                           capture_output=True, text=True, timeout=900)
        return re.search(r'^seed (\d+): (.*)$', r.stdout, flags=re.M)


WORLDS = {
    'threads': World('threads', HOSTILE, PLAIN,
                     ['sim/hostile', 'sim/smmuv3', 'tests/hostile'], ['sim/dev/atc.c'], []),
    'guests': World('guests', [], [], ['sim/smmuv3'], ['tests/driver/nested_hostile.c'],
                    ['-lcmocka', '-lpthread']),
    'calls': World('calls', HOSTILE, PLAIN,
                   ['sim/hostile', 'sim/smmuv3', 'tests/hostile', 'tests/hostile/calls'],
                   ['sim/dev/atc.c'], [], without='tests/hostile/run.c', cap=2000),
    'servers': World('servers', HOSTILE, PLAIN,
                     ['sim/hostile', 'sim/smmuv3', 'sim/dev', 'tests/hostile/servers'],
                     ['tests/hostile/' + f for f in ('main.c', 'crew.c', 'guard.c', 'plain.c')], [],
                     ('iommufd', 'vfio'), 6),
}
# what has to be compiled again when a header changes
HEADERS = {'src/pt/walker.h': ['src/pt/inst/arm_s1_4k.c', 'src/pt/inst/arm_s2_4k.c']}


def parse(path):
    """name, file, what it breaks, pairs of old and new text, what it is run in"""
    mutants, text = [], open(path).read()
    for block in re.split(r'^== ', text, flags=re.M)[1:]:
        head, *parts = re.split(r'^(?:---|\+\+\+)$\n', block, flags=re.M)
        name, file, world, says = re.match(r'(\S+) (\S+)(?: (\S+))?\n(.*)\n', head).groups()
        pairs = [(a.rstrip('\n'), b.rstrip('\n')) for a, b in zip(parts[::2], parts[1::2])]
        mutants.append((name, file, says, pairs, [WORLDS[world or 'threads']]))
    return mutants


def parse_left_out(path):
    """the same, of locks and barriers that are left out; without those that may be"""
    may = re.findall(r'^!! (\S+) ', open(path).read(), flags=re.M)
    found = [m + ([WORLDS['calls'], WORLDS['threads']],)
             for m in hostile_leave_out.locks_of(TOP, ('core', 'smmuv3'))]
    found += [m + ([WORLDS['servers']],)
              for m in hostile_leave_out.locks_of(TOP, ('iommufd', 'vfio'))]
    found += [m + ([WORLDS['threads']],)
              for m in hostile_leave_out.barriers_of(TOP, ROOMS, ('pt/walker.h',))]
    for name in set(may) - {m[0] for m in found}:
        print('%s: there is no such lock or barrier' % name)
    return [m for m in found if m[0] not in may]


def mutate(m):
    """the file with the mistake in it, or None"""
    text = open(os.path.join(TOP, m[1])).read()
    for old, new in m[3]:
        if text.count(old) != 1:
            return None
        text = text.replace(old, new)
    return text


def sources(world):
    for room in world.library:
        for line in open(os.path.join(TOP, 'src', room, 'SOURCES')):
            if line.strip():
                yield 'src/%s/%s' % (room, line.strip())


def compile_one(world, source, obj, root):
    os.makedirs(os.path.dirname(obj), exist_ok=True)
    cc = ['ccache', 'gcc'] if shutil.which('ccache') else ['gcc']
    plain = world.plain if source.startswith('src/') else []
    return subprocess.run(cc + FLAGS + world.flags + plain + ['-c', os.path.join(root, source), '-o', obj],
                          capture_output=True, text=True)


def object_of(world, source):
    return os.path.join(OUT, 'clean', world.name, source.replace('/', '_') + '.o')


def build_clean(jobs, worlds):
    """every object without a mistake"""
    todo = [(w, s) for w in worlds for s in list(sources(w)) + w.rest]
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        done = pool.map(lambda t: compile_one(*t, object_of(*t), TOP), todo)
        for (_, source), r in zip(todo, done):
            if r.returncode:
                sys.exit('%s does not compile:\n%s' % (source, r.stderr))


def build_mutant(m, world):
    """the program with one mistake: its path, or what the compiler says"""
    text, root = mutate(m), os.path.join(OUT, m[0].replace('/', '_'))
    if text is None:
        return None, 'the piece is not in %s, or not once' % m[1]
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(os.path.join(TOP, 'src'), os.path.join(root, 'src'))
    open(os.path.join(root, m[1]), 'w').write(text)
    again = [m[1]]
    if m[1].endswith('.h'):
        again = HEADERS.get(m[1]) or [s for s in sources(world) if not s.startswith('src/pt/')]
    objects = {s: object_of(world, s) for s in list(sources(world)) + world.rest}
    for s in again:
        objects[s] = os.path.join(root, s.replace('/', '_') + '.o')
        r = compile_one(world, s, objects[s], root)
        if r.returncode:
            return None, r.stderr
    program = os.path.join(root, 'hostile')
    r = subprocess.run(['gcc', '-o', program] + list(objects.values()) + world.libs,
                       capture_output=True, text=True)
    return (program, '') if r.returncode == 0 else (None, r.stderr)


def hunt(m, seeds, steps, first):
    """(caught, what is said about it)"""
    seeds *= 4 if m[2].endswith('(rare)') else 1
    for world in m[4]:
        program, why = build_mutant(m, world)
        if not program:
            return False, why
        try:
            found = world.run(program, seeds, steps, first)
        except subprocess.TimeoutExpired:
            found = None
        shutil.rmtree(os.path.dirname(program), ignore_errors=True)
        if found:
            return True, '%s, seed %s: %s' % (world.name, *found.groups())
    return False, 'no seed of %d catches it' % world.seeds(seeds)


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--check', action='store_true')
    p.add_argument('--seeds', type=int, default=1500)
    p.add_argument('--first', type=int, default=0)
    p.add_argument('--steps', type=int, default=2000)
    p.add_argument('--jobs', type=int, default=1)
    p.add_argument('--only', default='')
    p.add_argument('--sample', type=int, default=1)
    o = p.parse_args()
    path = os.path.join(TOP, 'tests/hostile/mutants.txt')
    mutants = parse(path) + parse_left_out(path)
    gone = [m for m in mutants if mutate(m) is None]
    for m in gone:
        print('%s: its piece is not in %s, or not once' % (m[0], m[1]))
    if o.check:
        print('%d mutants, %d of them fit no more' % (len(mutants), len(gone)))
        return len(mutants) - len(gone) < ENOUGH
    if o.only:
        mutants = [m for m in mutants if any(fnmatch.fnmatch(m[0], n) for n in o.only.split(','))]
    if o.sample > 1:
        mutants = [m for m in mutants if m not in gone and not m[2].endswith('(rare)')]
    mutants = mutants[::o.sample]
    build_clean(o.jobs, {w for m in mutants for w in m[4]})
    since, missed = time.time(), []
    with concurrent.futures.ThreadPoolExecutor(o.jobs) as pool:
        runs = pool.map(lambda m: hunt(m, o.seeds, o.steps, o.first), mutants)
        for m, (caught, text) in zip(mutants, runs):
            print('%-22s %-8s %s\n%31s %s' % (m[0], 'caught' if caught else 'MISSED', text, '',
                                              m[2]), flush=True)
            missed += [] if caught else [m[0]]
    print('%d mutants, %d caught, %d missed%s, %.0f s' % (
        len(mutants), len(mutants) - len(missed), len(missed),
        ': ' + ' '.join(missed) if missed else '', time.time() - since))
    return len(missed) > 0


if __name__ == '__main__':
    sys.exit(main())
