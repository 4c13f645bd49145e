/**
 * What a version says of itself and exports: its modules are evaluated, as a host would, in a thread that can be ended. `setup` is not run.
 * Why it is asked at run time: docs/design/plugins/registry.md#what-a-version-says-of-itself.
 */

import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { MidflightError } from '../../errors.ts';
import { toBuildEnvironment } from '../../release/build-environment.ts';
import type { PluginExports } from './plugin-manifest.ts';

export interface Description {
  /** Of `definePlugin`; null where it does not say. */
  readonly name: string | null;
  readonly version: string | null;
  readonly requires: Readonly<Record<string, string>>;
  readonly exports: PluginExports;
}

/** What the thread gets. */
export interface DescribeRequest {
  readonly label: string;
  readonly root: string;
  readonly store: string;
  /** The manifest as far as it is known, as text. */
  readonly manifest: string;
}

export type DescribeAnswer = { readonly description: Description } | { readonly problem: string };

/** A module that does more than that when it is evaluated keeps everyone waiting who opens it. */
const EVALUATE_MS_MAX = 10_000;
const HEAP_MIB_MAX = 512;
/** What Node ends with that has nothing more to do, and an await open. */
const UNSETTLED = 13;

const threadFile = path.join(import.meta.dirname, `describe-thread${path.extname(import.meta.filename)}`);

/** Errors: ERR_MIDFLIGHT_PLUGIN_INVALID where it throws, exits or does not end. */
export async function describeVersion(request: DescribeRequest): Promise<Description> {
  const { promise, resolve } = Promise.withResolvers<DescribeAnswer>();
  const worker = new Worker(threadFile, {
    workerData: request,
    // The service's secrets are not the publisher's to give.
    env: toBuildEnvironment(process.env),
    stdout: true,
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB_MAX },
  });
  // What it prints is no answer of the command line.
  worker.stdout.pipe(process.stderr, { end: false });
  const timer = setTimeout(
    () => resolve({ problem: `its modules are not evaluated after ${EVALUATE_MS_MAX} ms` }),
    EVALUATE_MS_MAX,
  );
  // What the plugin itself may post is no answer.
  worker.on('message', (message: unknown) => {
    if (isAnswer(message)) resolve(message);
  });
  worker.once('error', (error: unknown) => resolve({ problem: `its code threw: ${String(error)}` }));
  worker.once('exit', (code) => resolve({ problem: toExitProblem(code) }));
  try {
    const answer = await promise;
    if ('description' in answer) return answer.description;
    throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_INVALID', [request.label, answer.problem]);
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}

function isAnswer(message: unknown): message is DescribeAnswer {
  if (typeof message !== 'object' || message === null) return false;
  return 'description' in message || 'problem' in message;
}

function toExitProblem(code: number): string {
  return code === UNSETTLED
    ? 'its top-level await waits for what never comes'
    : `its code called process.exit(${code})`;
}
