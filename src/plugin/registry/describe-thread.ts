/** The main file of the thread that evaluates a version which is about to be published. */

import { parentPort, workerData } from 'node:worker_threads';
import { createOwnStates } from '../../runtime/state.ts';
import { describeInProcess } from '../in-process-version.ts';
import type { DescribeAnswer, DescribeRequest } from './describe-version.ts';
import { toPluginRelease } from './open-version.ts';
import { parseManifest } from './plugin-manifest.ts';

async function describe({ root, store, manifest }: DescribeRequest): Promise<DescribeAnswer> {
  try {
    const { name, version } = JSON.parse(manifest) as { name: string; version: string };
    const read = { manifest: parseManifest({ name, version }, manifest), digest: '' };
    const release = toPluginRelease({ store }, { root }, read);
    return { description: await describeInProcess({ release, number: 1, states: createOwnStates() }) };
  } catch (error) {
    return { problem: `its code can't be evaluated: ${toText(error)}` };
  }
}

/** With the place that has thrown, and not how Midflight came to it. */
function toText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const place = error.stack?.split('\n').find((line) => /^ {4}at .*\/app\//.test(line));
  return place === undefined ? String(error) : `${String(error)}\n${place}`;
}

parentPort?.postMessage(await describe(workerData as DescribeRequest), []);
