/** The configuration of an app: `midflight.config.{ts,js,mjs,json}` in its root; all of it optional, unknown keys refused. */

import path from 'node:path';
import { z } from 'zod';
import { MidflightError } from '../errors.ts';
import { parseListenText } from '../protocol/listen-text.ts';
import { probationPolicies, stopSignals, WORKERS_MAX } from '../protocol/manifest.ts';
import { allowableCodes, stateLosses } from '../protocol/plan-policy.ts';
import { findConfig } from './config-file.ts';
import { loadConfig } from './load-config.ts';

/** Longest time that any single wait may be given. */
export const TIMEOUT_MS_MAX = 3_600_000;
/** More of a value than this explains nothing. */
const GIVEN_LENGTH_MAX = 60;
const RETAINED_MAX = 1_000;
/** A service that is ill that often is ill. */
const FAILURES_MAX = 100;
/** Less than a Node process has that does nothing. */
const RSS_MIB_MIN = 16;
const RSS_MIB_MAX = 1_048_576;

const timeoutMs = (fallback: number): z.ZodDefault<z.ZodNumber> =>
  z.number().int().min(0).max(TIMEOUT_MS_MAX).default(fallback);

const healthSchema = z.strictObject({
  path: z.string().startsWith('/').optional(),
  /** An address that the app listens on. */
  tcp: z.string().optional(),
  /** A shell command. */
  command: z.string().min(1).optional(),
  timeoutMs: timeoutMs(5_000),
  /** Time between two checks. */
  intervalMs: z.number().int().min(50).max(TIMEOUT_MS_MAX).default(500),
  /** So many in a row are one too many. */
  failures: z.number().int().min(1).max(FAILURES_MAX).default(1),
});

const hooksSchema = z.strictObject({
  beforeApply: z.string().min(1).optional(),
  afterCommit: z.string().min(1).optional(),
  afterRollback: z.string().min(1).optional(),
  timeoutMs: timeoutMs(60_000),
});

/** `auto`: as many as the machine that builds the release lets run beside each other. */
const workersSchema = z.union([z.literal('auto'), z.number().int().min(1).max(WORKERS_MAX)], {
  error: `expected a whole number from 1 to ${WORKERS_MAX}, or "auto"`,
});

const policySchema = z.strictObject({
  /** More generations than this that code or connections still hold, and a fresh process takes over. */
  maxRetained: z.number().int().min(1).max(RETAINED_MAX).default(8),
  /** A worker that has more in memory than this, and fresh processes take over. */
  maxRssMib: z.number().int().min(RSS_MIB_MIN).max(RSS_MIB_MAX).optional(),
  /** `compare`: a release that serves worse than the one before goes back. `strict`: so does one of which that is not known.
   *  `faults`: only crashes, uncaught errors and failed health checks count. */
  probation: z.enum(probationPolicies).default('compare'),
  /** What a plan warns of rejects it. */
  strict: z.boolean().default(false),
  /** Of a swap that would lose module-level state. */
  stateLoss: z.enum(stateLosses).default('warn'),
  allow: z
    .array(
      z.enum(allowableCodes, {
        error: `expected a code that a rule or "strict" rejects by and that may be allowed: ${allowableCodes.join(', ')}`,
      }),
    )
    .default([]),
});

const readySchema = z.union(
  [
    z.enum(['listen', 'load', 'pipe', 'notify']),
    z.strictObject({ http: z.string().startsWith('/') }),
    z.strictObject({ line: z.string().refine(isRegularExpression, 'is not a regular expression') }),
  ],
  {
    error:
      'expected "listen" or "load"; or, of a program, "pipe", "notify", { "http": "/path" } or { "line": "regular expression" }',
  },
);

/** What is linked takes the place of what is there: that must not be anything around the app. */
export function isInside(name: string): boolean {
  const relative = path.posix.normalize(name);
  return !path.isAbsolute(name) && !/^\.{1,2}(?:\/|$)/.test(relative);
}

function isRegularExpression(text: string): boolean {
  try {
    return new RegExp(text, 'm') instanceof RegExp;
  } catch {
    return false;
  }
}

const upgradedSchema = z.strictObject({
  /** `carry`: passed on where that can be done, else kept. `keep`: until the deadline. `close`: told to come back. */
  policy: z.enum(['carry', 'keep', 'close']).default('carry'),
  /** Over this time `close` is spread. */
  spreadMs: timeoutMs(10_000),
});

const sourceSchema = z.strictObject({
  /** Whatever `git fetch` takes. An option is none. */
  repository: z.string().min(1).regex(/^[^-]/, 'is an option of git').optional(),
  ref: z.string().min(1).optional(),
  /** The app's folder in the repository. */
  root: z
    .string()
    .refine((folder) => !/^\/|(?:^|\/)\.\.(?:\/|$)/.test(folder), 'leads out of the repository')
    .default(''),
});

export type SourceSettings = z.output<typeof sourceSchema>;

const pluginsSchema = z.strictObject({
  /** A folder, relative to the app's own; `.midflight/plugins` when absent. */
  registry: z.string().min(1).optional(),
});

export type PluginSettings = z.output<typeof pluginsSchema>;

const keepCount = z.number().int().min(2).max(1_000);
const keepSchema = z.union(
  [keepCount, z.strictObject({ count: keepCount.default(10), days: z.number().int().min(1).max(3_650) })],
  { error: 'expected a whole number from 2 to 1000, or { "count": 10, "days": 30 }' },
);

/** The shape of a configuration; docs/reference/config.md is held equal to it by a test. */
export const configSchema = z.strictObject({
  entry: z.string().optional(),
  command: z.array(z.string()).min(1).optional(),
  listen: z
    .array(
      z.string().refine((text) => parseListenText(text) !== null, {
        error: ({ input }) => `"${String(input)}" is not an address; write "127.0.0.1:8080" or "unix:/path"`,
      }),
    )
    .default([]),
  build: z.string().optional(),
  buildEnv: z.array(z.string()).default([]),
  source: sourceSchema.prefault({}),
  /** A shell command, or `true` for the project's own `tsc --noEmit`. */
  typecheck: z.union([z.string().min(1), z.boolean()], { error: 'expected a command, or true' }).optional(),
  workers: workersSchema.default(1),
  nodeOptions: z.array(z.string()).default([]),
  envFile: z.string().optional(),
  health: healthSchema.optional(),
  ready: readySchema.default('listen'),
  stopSignal: z.enum(stopSignals).default('SIGTERM'),
  readyTimeoutMs: timeoutMs(30_000),
  drainTimeoutMs: timeoutMs(30_000),
  /** Requests in flight are waited for that long before states are passed to another process. */
  quiesceTimeoutMs: timeoutMs(2_000),
  probationMs: timeoutMs(5_000),
  buildTimeoutMs: timeoutMs(600_000),
  keep: keepSchema.default(10),
  shared: z.array(z.string().refine(isInside, 'is not a path inside of the app')).default([]),
  upgraded: upgradedSchema.prefault({}),
  policy: policySchema.prefault({}),
  hooks: hooksSchema.prefault({}),
  plugins: pluginsSchema.prefault({}),
});

/** The configuration with every default filled in. */
export type Config = z.output<typeof configSchema>;
/** The configuration as an app writes it. */
export type ConfigInput = z.input<typeof configSchema>;

/** Where the app in `directory` comes from. The rest of its configuration is not looked at: that of the release counts.
 *  Errors: ERR_MIDFLIGHT_CONFIG_INVALID, ERR_MIDFLIGHT_CONFIG_UNREADABLE. */
export async function readSourceSettings(directory: string): Promise<SourceSettings> {
  return (await readOwn(directory, 'source')).source;
}

/** Where the plugins are of the app in `directory`: like its source, that is of the place, not of a release. Errors: the same. */
export async function readPluginSettings(directory: string): Promise<PluginSettings> {
  return (await readOwn(directory, 'plugins')).plugins;
}

async function readOwn(directory: string, key: 'source' | 'plugins'): Promise<Config> {
  const name = findConfig(directory);
  if (name === undefined) return parseConfig({}, '');
  const value = await loadConfig(path.join(directory, name));
  const isObject = typeof value === 'object' && value !== null && Object.hasOwn(value, key);
  return parseConfig(isObject ? { [key]: (value as Record<string, unknown>)[key] } : {}, name);
}

/** Reads and checks the configuration of the app in `directory`; defaults where there is no file.
 *  Errors: ERR_MIDFLIGHT_CONFIG_INVALID with the key, ERR_MIDFLIGHT_CONFIG_UNREADABLE with the cause. */
export async function readConfig(directory: string): Promise<Config> {
  const name = findConfig(directory);
  return parseConfig(
    name === undefined ? {} : await loadConfig(path.join(directory, name)),
    name ?? 'configuration',
  );
}

/** Checks a configuration value. */
export function parseConfig(value: unknown, name: string): Config {
  const result = configSchema.safeParse(value);
  if (!result.success) {
    throw new MidflightError('ERR_MIDFLIGHT_CONFIG_INVALID', [name, describe(result.error, value)]);
  }
  const problem = findContradiction(result.data) ?? findIgnored(value);
  if (problem !== null) throw new MidflightError('ERR_MIDFLIGHT_CONFIG_INVALID', [name, problem]);
  return result.data;
}

function findContradiction({ command, listen, ready, stopSignal, health, policy }: Config): string | null {
  const kinds = [health?.path, health?.tcp, health?.command].filter((kind) => kind !== undefined);
  if (health !== undefined && kinds.length > 1)
    return '"health" is one of "path", "tcp" and "command"; leave the others out';
  if (policy.probation === 'strict' && command !== undefined)
    return '"policy.probation": "strict" is for Node apps: of a program nobody knows how it answers';
  if (command !== undefined) {
    if (listen.length === 0)
      return '"command" needs "listen", the addresses to bind for it, such as ["127.0.0.1:8080"]';
    return ready === 'load'
      ? '"ready": "load" is for Node apps; leave it out, or see what a program can say'
      : null;
  }
  if (ready !== 'listen' && ready !== 'load')
    return '"ready" of a Node app is "listen" or "load", other kinds are for programs with a "command"; "health" asks a path of it';
  return stopSignal === 'SIGTERM'
    ? null
    : '"stopSignal" is for programs with a "command"; a Node app is asked over its channel';
}

/** Said, and of no effect. */
function findIgnored(given: unknown): string | null {
  const { command, workers } = given as { readonly command?: unknown; readonly workers?: unknown };
  return command === undefined || workers === undefined || workers === 1
    ? null
    : '"workers" is for Node apps; a program with a "command" runs once, and starts processes of its own';
}

/** Each with the value that was given, as far as it is short. */
function describe(error: z.ZodError, given: unknown): string {
  return error.issues
    .map((issue) => {
      const where = issue.path.join('.') || 'top level';
      return `${where}: ${issue.message}${toGivenText(valueAt(given, issue.path))}`;
    })
    .join('; ');
}

function valueAt(value: unknown, keys: readonly PropertyKey[]): unknown {
  return keys.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown>)[key], value);
}

/** Nothing for objects, whose keys the message names. */
function toGivenText(value: unknown): string {
  if (value === undefined || (typeof value === 'object' && value !== null)) return '';
  const text = JSON.stringify(value) ?? typeof value;
  return `; it is ${text.length > GIVEN_LENGTH_MAX ? `${text.slice(0, GIVEN_LENGTH_MAX)}…` : text}`;
}
