/** Deploys, crashes, scaling, kills of the supervisor and stopping in any order: what is left is what was recorded, and it serves. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  array,
  assert as assertProperty,
  asyncProperty,
  constant,
  constantFrom,
  integer,
  nat,
  oneof,
  record,
  uuid,
  type Arbitrary,
} from 'fast-check';
import { createWorkers, type Workers } from '../../src/supervisor/workers.ts';
import {
  createFakeWorld,
  toRelease,
  type FakeRelease,
  type FakeSupervisor,
  type FakeWorld,
  type FakeWorldOptions,
} from './fake-world.ts';

const RUNS = 300;

type Step =
  | { readonly type: 'swap' | 'handoff' | 'restart'; readonly release: FakeRelease }
  | { readonly type: 'prove' | 'goBack' | 'settle' }
  | { readonly type: 'scale'; readonly count: number }
  | { readonly type: 'crash'; readonly which: number };

/** A step, and after how many turns of its work the supervisor is killed; null where it lives. */
interface Act {
  readonly step: Step;
  readonly killedAfter: number | null;
}

const anyRelease = record({
  name: uuid(),
  workers: integer({ min: 1, max: 3 }),
  defect: constantFrom('none' as const, 'none' as const, 'prepare' as const, 'commit' as const),
});
const anyStep: Arbitrary<Step> = oneof(
  record({
    type: constantFrom('swap' as const, 'handoff' as const, 'restart' as const),
    release: anyRelease,
  }),
  record({ type: constantFrom('prove' as const, 'goBack' as const, 'settle' as const) }),
  record({ type: constant('scale' as const), count: integer({ min: 1, max: 4 }) }),
  record({ type: constant('crash' as const), which: nat(9) }),
);

const first: FakeRelease = { name: 'first', workers: 2, defect: 'none' };

/** The part of a deployer that decides what to ask of the workers, and a record of what they have come to. */
class Run {
  readonly world: FakeWorld;
  readonly #releases: readonly FakeRelease[];
  #supervisor: FakeSupervisor;
  workers: Workers;
  current = first.name;
  proved = first.name;

  constructor(options: FakeWorldOptions) {
    this.#releases = [first, ...options.releases];
    this.world = createFakeWorld(options);
    this.#supervisor = this.world.supervise();
    this.workers = createWorkers(this.#supervisor.env);
  }

  /** A first start that fails ends the supervisor: there is nothing to test then. */
  async start(): Promise<void> {
    while (this.workers.currentRelease() === null)
      await this.workers.start(toRelease(first)).catch(() => null);
  }

  async take({ step, killedAfter }: Act): Promise<void> {
    if (killedAfter === null) return this.#take(step);
    void this.#take(step).catch(() => null);
    for (let turn = 0; turn < killedAfter; turn++) await Promise.resolve();
    return this.#recover();
  }

  /** What has been committed and not proved is gone back from. */
  async #recover(): Promise<void> {
    this.#supervisor.kill();
    this.#supervisor = this.world.supervise();
    this.workers = createWorkers(this.#supervisor.env);
    const notebook = this.world.notebook();
    assert.ok(notebook);
    await this.workers.recover(notebook, async (id) => {
      const known = this.#releases.find((each) => each.name === id);
      return known === undefined ? null : toRelease(known);
    });
    // Proving is recorded after it is done; what was noted is what counts.
    this.proved = this.current = this.workers.currentRelease()?.manifest.id ?? '';
    assert.ok([notebook.proved?.release, notebook.current?.release].includes(this.current), this.current);
  }

  /** As the deployer does it: a failed path leaves what was there, restart goes back by itself. */
  async #take(step: Step): Promise<void> {
    const { workers, world } = this;
    switch (step.type) {
      case 'swap':
      case 'handoff':
      case 'restart':
        try {
          await workers[step.type](toRelease(step.release));
          this.current = step.release.name;
        } catch {
          if (step.type === 'restart') await this.#goBack();
        }
        return;
      case 'prove':
        await workers.prove();
        this.proved = this.current;
        return;
      case 'goBack':
        return this.#goBack();
      case 'scale':
        // Refused in probation by the deployer.
        if (this.current === this.proved) await workers.scale(step.count).catch(() => null);
        return;
      case 'crash':
        world.alive()[step.which]?.die();
        return;
      case 'settle':
        return world.settle();
    }
  }

  async #goBack(): Promise<void> {
    await this.workers.goBack().catch(() => null);
    this.current = this.proved;
  }
}

function toRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const releasesOf = (acts: readonly Act[]): FakeRelease[] =>
  acts.flatMap(({ step: each }) => ('release' in each ? [each.release] : []));

/** When all is over, the workers that are wanted serve what was recorded, and nothing else is left. */
async function checkOutcome({ workers, world, current }: Run): Promise<void> {
  world.calm();
  await world.settle();
  await workers.prove();
  await world.settle();
  const told = world.log.join('\n');
  assert.equal(workers.currentRelease()?.manifest.id, current, told);
  assert.equal(world.alive().length, workers.wantedCount(), told);
  for (const { id, isAccepting, current: generation, preparing } of world.alive()) {
    assert.equal(isAccepting, true, `worker ${id} does not accept\n${told}`);
    assert.equal(generation, workers.generation(), `worker ${id} runs what is not current\n${told}`);
    assert.equal(preparing, null, `worker ${id} has something left over\n${told}`);
  }
  await workers.stop(0);
  await world.settle();
  assert.deepEqual(world.alive(), [], told);
}

test('whatever comes in whatever order, the workers that are wanted serve the release that is recorded, and no other process is left', async () => {
  const act = record({ step: anyStep, killedAfter: constant(null) });
  await assertProperty(
    asyncProperty(
      array(act, { maxLength: 12 }),
      nat(),
      constantFrom(0, 0.05, 0.2),
      async (acts, seed, deathRate) => {
        const run = new Run({ releases: releasesOf(acts), random: toRandom(seed), deathRate });
        await run.start();
        for (const each of acts) await run.take(each);
        await checkOutcome(run);
      },
    ),
    { numRuns: RUNS },
  );
});

test('a supervisor that is killed at any moment leaves what the next one makes whole', async () => {
  const act = record({
    step: anyStep,
    killedAfter: oneof(constant(null), integer({ min: 0, max: 120 })),
  });
  await assertProperty(
    asyncProperty(
      array(act, { maxLength: 8 }),
      nat(),
      constantFrom(0, 0.05),
      async (acts, seed, deathRate) => {
        const run = new Run({ releases: releasesOf(acts), random: toRandom(seed), deathRate });
        await run.start();
        for (const each of acts) await run.take(each);
        await checkOutcome(run);
      },
    ),
    { numRuns: RUNS },
  );
});

test('without crashes somebody accepts at every moment, but for a restart', async () => {
  const calm = anyStep.filter(({ type }) => type !== 'crash' && type !== 'restart');
  const act = record({
    step: calm,
    killedAfter: oneof(constant(null), integer({ min: 0, max: 120 })),
  });
  await assertProperty(
    asyncProperty(array(act, { maxLength: 8 }), nat(), async (acts, seed) => {
      let isServing = false;
      const unserved: string[] = [];
      const run = new Run({
        releases: releasesOf(acts).map((each) => ({ ...each, defect: 'none' })),
        random: toRandom(seed),
        deathRate: 0,
        onChange({ alive, log }) {
          if (isServing && !alive().some(({ isAccepting }) => isAccepting)) unserved.push(log.join('\n'));
        },
      });
      await run.start();
      isServing = true;
      for (const each of acts) await run.take(each);
      isServing = false;
      assert.deepEqual(unserved, []);
      await checkOutcome(run);
    }),
    { numRuns: RUNS },
  );
});
