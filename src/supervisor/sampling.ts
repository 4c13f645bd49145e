/** How the workers of a crew serve, and what they have printed last. */

import { setTimeout as sleep } from 'node:timers/promises';
import { mergeSamples, type ServiceSample } from '../protocol/service-sample.ts';
import type { SampleAnswer } from '../protocol/messages.ts';
import type { Crew } from './crew.ts';
import { askWithin, type Worker } from './worker.ts';

/** A worker that is so busy that it does not answer by then has no figures. */
const ANSWER_TIMEOUT_MS = 2_000;
/** From this version of its protocol on, an agent gathers figures. */
const PROTOCOL_OF_SAMPLES = 2;
const OUTPUT_LENGTH_MAX = 4_096;
const END_TIMEOUT_MS = 1_000;

/** The figures of all workers of a crew together; null where one has none: it is not Node, or of an older Midflight, or did not answer. */
export async function sampleCrew({ members, generation }: Crew): Promise<ServiceSample | null> {
  const serving = [...members].filter(({ state }) => state === 'serving');
  const answers = await Promise.all(serving.map(async ({ worker }) => sampleOf(worker)));
  const samples = answers.map((answer) => (answer?.generation === generation ? answer.sample : null));
  const known = samples.filter((sample) => sample !== null);
  return known.length === 0 || known.length < serving.length ? null : mergeSamples(known);
}

async function sampleOf(worker: Worker): Promise<SampleAnswer | null> {
  if (worker.kind !== 'node' || worker.protocol().max < PROTOCOL_OF_SAMPLES) return null;
  const answer = askWithin(worker, { type: 'sample' }, ANSWER_TIMEOUT_MS);
  return answer.catch(() => null) as Promise<SampleAnswer | null>;
}

/** The last lines of each worker, with its pid. */
export async function outputOf(workers: Iterable<Worker>): Promise<string> {
  const outputs = await Promise.all(
    [...workers].map(async (worker) => {
      const output = await worker.output().catch(() => '');
      return output === '' ? '' : `worker ${worker.pid}:\n${output.slice(-OUTPUT_LENGTH_MAX)}`;
    }),
  );
  return outputs.filter(Boolean).join('\n');
}

const kOutput = Symbol('midflight.output');

/** Ends a worker because of an error, which comes back with what it had printed. */
export async function endWithOutput(cause: unknown, worker: Worker): Promise<unknown> {
  worker.kill('SIGKILL');
  // All that it had printed has been read when it is known to have ended.
  await Promise.race([worker.exited, sleep(END_TIMEOUT_MS, null, { ref: false })]);
  if (cause instanceof Error) Object.assign(cause, { [kOutput]: await outputOf([worker]) });
  return cause;
}

/** What `endWithOutput` has added; empty where nothing was. */
export function outputIn(error: unknown): string {
  for (let inner = error; inner instanceof Error; inner = inner.cause) {
    const output = (inner as { readonly [kOutput]?: string })[kOutput];
    if (output !== undefined) return output;
  }
  return '';
}
