/** What a comparison finds on a machine that stalls: a simulated service, its clients, and the looks of a probation. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareSamples, type ComparisonVerdict } from '../../src/deploy/compare-samples.ts';
import { LOOK_COUNT } from '../../src/deploy/probation.ts';
import { SampleParts } from '../../src/deploy/sample-parts.ts';
import { Histogram } from '../../src/protocol/histogram.ts';
import { emptySample, type ServiceSample } from '../../src/protocol/service-sample.ts';

const PROBATION_MS = 5_000;
const TICK_MS = 50;
const RUN_COUNT = 20;
const BASELINE_MS = 20_000;
const PROBATION_MS_MAX = 2 * PROBATION_MS;

interface Stall {
  readonly fromMs: number;
  readonly toMs: number;
}

interface Conduct {
  /** How long an answer takes by itself. */
  answerMs(random: () => number): number;
  /** How long its own code keeps the event loop, and after which time again. */
  readonly blocks?: { readonly forMs: number; readonly everyMs: number };
}

interface Load {
  /** Clients that ask again when they have their answer; 0 for a crowd, whose questions do not wait for each other. */
  readonly clientCount: number;
  readonly perSecond: number;
}

const loads: readonly Load[] = [
  { clientCount: 0, perSecond: 100 },
  { clientCount: 0, perSecond: 400 },
  { clientCount: 10, perSecond: 0 },
  { clientCount: 50, perSecond: 0 },
];

/** By which 20 ms is the median. */
const good: Conduct = { answerMs: (random) => 20 * Math.exp(0.5 * toNormal(random)) };
const slow: Conduct = { answerMs: (random) => 4 * good.answerMs(random) };
const uneven: Conduct = { answerMs: (random) => (random() < 0.05 ? 600 : good.answerMs(random)) };
const blocking: Conduct = { ...good, blocks: { forMs: 300, everyMs: 500 } };

/** Of all runs the same. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function toNormal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

interface Seen {
  readonly atMs: number;
  readonly us: number;
}

interface Served {
  readonly answers: readonly Seen[];
  readonly ticks: readonly Seen[];
}

interface World {
  readonly durationMs: number;
  readonly stalls: readonly Stall[];
  readonly load: Load;
  readonly random: () => number;
}

/** When what is due then is done: after the stall that it falls into, and what that leads to. */
function toDone(stalls: readonly Stall[], dueMs: number): number {
  let doneMs = dueMs;
  for (const { fromMs, toMs } of stalls) {
    if (fromMs > doneMs) break;
    if (doneMs < toMs) doneMs = toMs;
  }
  return doneMs;
}

function serve({ answerMs, blocks }: Conduct, { durationMs, stalls, load, random }: World): Served {
  const all = [...stalls];
  if (blocks !== undefined)
    for (let fromMs = 0; fromMs < durationMs; fromMs += blocks.everyMs)
      all.push({ fromMs, toMs: fromMs + blocks.forMs });
  all.sort((one, other) => one.fromMs - other.fromMs);
  const answers: Seen[] = [];
  const answer = (askedMs: number): number => {
    const doneMs = toDone(all, toDone(all, askedMs) + answerMs(random));
    answers.push({ atMs: doneMs, us: Math.round((doneMs - askedMs) * 1_000) });
    return doneMs;
  };
  if (load.clientCount === 0)
    for (let atMs = 0; atMs < durationMs; atMs -= (Math.log(1 - random()) * 1_000) / load.perSecond)
      answer(atMs);
  for (let client = 0; client < load.clientCount; client++)
    for (let atMs = client; atMs < durationMs;) atMs = answer(atMs) + 100 * random();
  const ticks: Seen[] = [];
  for (let dueMs = TICK_MS; dueMs < durationMs;) {
    const atMs = toDone(all, dueMs);
    ticks.push({ atMs, us: Math.round((atMs - dueMs) * 1_000) });
    dueMs = atMs + TICK_MS;
  }
  return { answers, ticks };
}

/** As a worker tells it at that time. */
function sampleAt({ answers, ticks }: Served, durationMs: number): ServiceSample {
  const seen = (all: readonly Seen[], fromMs: number): Histogram => {
    const histogram = new Histogram();
    for (const { atMs, us } of all) if (atMs >= fromMs && atMs <= durationMs) histogram.record(us);
    return histogram;
  };
  const latency = seen(answers, 500);
  const answerCount = latency.total;
  return {
    ...emptySample,
    durationMs,
    answerCount,
    latencyUs: latency.report(),
    lagUs: seen(ticks, 500).report(),
  };
}

interface Deploy {
  readonly conduct: Conduct;
  /** Before, in a minute, and after. */
  readonly stalls: readonly [readonly Stall[], readonly Stall[]];
  /** Whether the supervisor was held up as well. */
  readonly isMachine: boolean;
  readonly load: Load;
  readonly random: () => number;
}

/** What its probation comes to: the verdict that ends it, or the last one. */
function deploy({ conduct, stalls, isMachine, load, random }: Deploy): ComparisonVerdict {
  const before = sampleAt(
    serve(good, { durationMs: BASELINE_MS, stalls: stalls[0], load, random }),
    BASELINE_MS,
  );
  const [, own] = stalls;
  const served = serve(conduct, { durationMs: PROBATION_MS_MAX, stalls: own, load, random });
  const parts = new SampleParts();
  let verdict: ComparisonVerdict = 'inconclusive';
  let lookMs = 0;
  for (let count = 0; count < LOOK_COUNT && verdict !== 'worse'; count++) {
    const sinceMs = lookMs;
    lookMs += PROBATION_MS / LOOK_COUNT;
    if (isMachine) lookMs = toDone(own, lookMs);
    const isHeldUp = isMachine && own.some(({ fromMs, toMs }) => fromMs <= lookMs && toMs > sinceMs);
    const after = sampleAt(served, lookMs);
    ({ verdict } = compareSamples(before, after, parts.add(after, isHeldUp)));
  }
  return verdict;
}

/** One, of that length, anywhere in the first `withinMs`. */
function anywhere(lengthMs: number, withinMs: number, random: () => number): Stall[] {
  const fromMs = random() * withinMs;
  return [{ fromMs, toMs: fromMs + lengthMs }];
}

/** About one in a second, all the time, of up to 700 ms. */
function again(durationMs: number, random: () => number): Stall[] {
  const stalls: Stall[] = [];
  for (let fromMs = 1_000 * random(); fromMs < durationMs; fromMs += 500 + 1_000 * random())
    stalls.push({ fromMs, toMs: fromMs + 260 + 440 * random() });
  return stalls;
}

type Weather = (random: () => number) => Pick<Deploy, 'stalls' | 'isMachine'>;

const weathers = {
  'no stall': () => ({ stalls: [[], []], isMachine: true }),
  'one stall of the machine after the commit': (random) => ({
    stalls: [[], anywhere(300 + 3_700 * random(), PROBATION_MS, random)],
    isMachine: true,
  }),
  'one stall of the new process alone, shorter than a part of its time': (random) => ({
    stalls: [[], anywhere(300 + 500 * random(), PROBATION_MS, random)],
    isMachine: false,
  }),
  'one stall before the commit': (random) => ({
    stalls: [anywhere(300 + 3_700 * random(), BASELINE_MS, random), []],
    isMachine: true,
  }),
  'a machine that stalls all the time': (random) => ({
    stalls: [again(BASELINE_MS, random), again(PROBATION_MS_MAX, random)],
    isMachine: true,
  }),
  'a machine that begins to stall with the commit': (random) => ({
    stalls: [[], again(PROBATION_MS_MAX, random)],
    isMachine: true,
  }),
} satisfies Record<string, Weather>;

function countWorse(conduct: Conduct, weather: Weather, load: Load): number {
  const random = createRandom(11);
  let worseCount = 0;
  for (let run = 0; run < RUN_COUNT; run++)
    if (deploy({ conduct, load, random, ...weather(random) }) === 'worse') worseCount++;
  return worseCount;
}

for (const [name, weather] of Object.entries(weathers)) {
  test(`a release that is as good as the one before never looks worse: ${name}`, () => {
    assert.deepEqual(
      loads.map((load) => countWorse(good, weather, load)),
      loads.map(() => 0),
    );
  });
}

for (const [name, conduct] of Object.entries({ slow, uneven, blocking })) {
  for (const weather of ['no stall', 'one stall of the machine after the commit'] as const) {
    test(`a release that is ${name} looks worse at every load: ${weather}`, () => {
      for (const load of loads) {
        const worseCount = countWorse(conduct, weathers[weather], load);
        assert.ok(
          worseCount >= 0.75 * RUN_COUNT,
          `${worseCount} of ${RUN_COUNT} with ${JSON.stringify(load)}`,
        );
      }
    });
  }
}

test('where the machine stalls all the time, what a release takes is not known, which is no reason to go back', () => {
  const weather = weathers['a machine that begins to stall with the commit'];
  const random = createRandom(3);
  for (const load of loads)
    assert.equal(deploy({ conduct: slow, load, random, ...weather(random) }), 'inconclusive');
});
