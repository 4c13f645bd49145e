/** What a plugin in a thread may do and use, and how Node is told. What Node really holds: docs/node/plugin-threads.md. */

import path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import type { WorkerOptions } from 'node:worker_threads';
import { MidflightError } from '../../errors.ts';

export interface ThreadLimits {
  /** What its heap and its buffers may hold, after a collection; 128 when absent. At twice that it is ended at once. */
  readonly memoryMib?: number;
  /** Of one processor, over 5 s; more ends it. No limit when absent. */
  readonly cpuShare?: number;
  /** By when each of its steps to the first call must have ended; 10 s when absent. */
  readonly startMs?: number;
  /** How long it may let nothing run, asked when a call has not answered in time; 2 s when absent. */
  readonly stuckMs?: number;
}

/** What the thread may do, by Node's permission model; what is absent it may not. */
export interface ThreadPermissions {
  /** Files and folders, besides its own folder; `*` for all. */
  readonly read?: readonly string[];
  readonly write?: readonly string[];
  /** From Node 25 on; before that no thread can be kept from the network. */
  readonly net?: boolean;
  readonly childProcess?: boolean;
  readonly addons?: boolean;
}

export interface ThreadIsolation {
  readonly limits?: ThreadLimits;
  /** Its `process.env`; empty when absent. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** All that the process may when absent. */
  readonly permissions?: ThreadPermissions;
}

const defaults = { memoryMib: 128, cpuShare: null, startMs: 10_000, stuckMs: 2_000 };

export interface Limits extends Omit<Required<ThreadLimits>, 'cpuShare'> {
  readonly cpuShare: number | null;
}

/** Errors: ERR_MIDFLIGHT_PLUGIN_OPTION_INVALID. */
export function toLimits(given: ThreadLimits = {}): Limits {
  const limits = { ...defaults, ...given };
  for (const [name, value] of Object.entries(limits)) {
    const isFit = value === null || (Number.isFinite(value) && value > 0);
    if (!isFit || !Object.hasOwn(defaults, name))
      throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_OPTION_INVALID', [
        `limits.${name}`,
        String(value),
        Object.hasOwn(defaults, name) ? 'has to be a number above 0' : 'is not known',
      ]);
  }
  return limits;
}

const MIB = 2 ** 20;
/** V8 ends the process, and not the thread, where one step allocates more than 16 MiB beyond its own limit, as many do.
 *  So its limit is far above ours, and it is we who look. */
const HEADROOM_MIB_MAX = 2_048;
const HEADROOM_MIB_MIN = 64;

/** For a thread that runs a plugin of that folder. */
export function toWorkerOptions({
  limits,
  env = {},
  permissions,
  root,
}: Omit<ThreadIsolation, 'limits'> & { readonly limits: Limits; readonly root: string }): WorkerOptions {
  const free = process.availableMemory() / MIB / 2;
  const headroom = Math.round(Math.min(HEADROOM_MIB_MAX, Math.max(HEADROOM_MIB_MIN, free)));
  keepLoopsInterruptible();
  return {
    env: { ...env },
    resourceLimits: { maxOldGenerationSizeMb: limits.memoryMib + headroom },
    ...(permissions === undefined ? {} : { execArgv: toPermissionFlags(permissions, root) }),
  };
}

function toPermissionFlags(permissions: ThreadPermissions, root: string): string[] {
  const { read = [], write = [], net = false, childProcess = false, addons = false } = permissions;
  // What the thread itself is made of, also where it runs from source.
  const own = path.resolve(import.meta.dirname, '../../..');
  const canHoldNet = process.allowedNodeEnvironmentFlags.has('--allow-net');
  return [
    '--permission',
    ...[own, root, ...read].map((at) => `--allow-fs-read=${toAbsolute(at)}`),
    ...write.map((at) => `--allow-fs-write=${toAbsolute(at)}`),
    ...(net && canHoldNet ? ['--allow-net'] : []),
    ...(childProcess ? ['--allow-child-process'] : []),
    ...(addons ? ['--allow-addons'] : []),
  ];
}

function toAbsolute(at: string): string {
  return at === '*' ? at : path.resolve(at);
}

let isInterruptible = false;

/** Optimized by unrolling, a loop around `new Array(n)` or `fill()` never looks whether its thread is to end: V8 of Node 24 and 26. */
function keepLoopsInterruptible(): void {
  if (isInterruptible) return;
  isInterruptible = true;
  setFlagsFromString('--no-turboshaft-loop-unrolling');
}
