/** Whether a generation is well: by its own `health()`, and by how it answers from outside. */

import { setTimeout as sleep } from 'node:timers/promises';
import { MidflightError } from '../errors.ts';
import type { HealthCheck } from '../protocol/messages.ts';
import { runInScope, type GenerationScope } from './generation-scope.ts';
import type { ServerAdoption } from './servers/server-adoption.ts';

export interface Patient {
  readonly scope: GenerationScope;
  /** What its entry exports; null before it has been evaluated. */
  namespace(): object | null;
}

/** Of an answer that many characters are told. */
const BODY_LENGTH_MAX = 200;
/** In that time whoever takes a connection only to break it has done so. */
const KEPT_MS = 100;
const INTERVAL_MS = 500;

/** Asks until it is well, or has been ill `failures` times in a row.
 *  Errors: ERR_MIDFLIGHT_HEALTH_FAILED with what was seen last. */
export async function becomeHealthy(
  servers: ServerAdoption,
  patient: Patient,
  health: HealthCheck,
): Promise<void> {
  for (let left = health.failures ?? 1; ; left--) {
    try {
      return await checkHealth(servers, patient, health);
    } catch (error) {
      if (left <= 1) throw error;
      await sleep(health.intervalMs ?? INTERVAL_MS, null, { ref: false });
    }
  }
}

/** Asks once. Errors: ERR_MIDFLIGHT_HEALTH_FAILED when it is ill, or does not say in time. */
export async function checkHealth(
  servers: ServerAdoption,
  patient: Patient,
  health: HealthCheck,
): Promise<void> {
  const { path, tcp = null, timeoutMs } = health;
  await askOwn(patient, timeoutMs);
  if (path !== null) await askPath(servers, patient.scope, { path, timeoutMs });
  if (tcp !== null) await askTcp(servers, patient.scope, { address: tcp, timeoutMs });
}

/** A function `health` without parameters among the exports of the entry. One with parameters is something else, such as a handler. */
async function askOwn({ scope, namespace }: Patient, timeoutMs: number): Promise<void> {
  const own = Object(namespace()).health as unknown;
  if (typeof own !== 'function' || own.length > 0) return;
  const timeout = AbortSignal.timeout(timeoutMs);
  const late = Promise.withResolvers<never>();
  late.promise.catch(() => null);
  timeout.addEventListener('abort', () => late.reject(ill('health()', `no answer in ${timeoutMs} ms`)));
  const said: unknown = await Promise.race([
    runInScope(scope, async () => (own as () => unknown)()).catch((error: unknown) => {
      throw ill('health()', `it threw ${String(error)}`, error);
    }),
    late.promise,
  ]);
  if (said === false) throw ill('health()', 'it returned false');
}

async function askPath(
  servers: ServerAdoption,
  scope: GenerationScope,
  { path, timeoutMs }: { readonly path: string; readonly timeoutMs: number },
): Promise<void> {
  const check = `GET ${path}`;
  const { statusCode, body } = await servers.probe(scope, { path, timeoutMs }).catch((error: unknown) => {
    throw error instanceof MidflightError ? error : ill(check, String(error), error);
  });
  if (statusCode >= 200 && statusCode < 400) return;
  const said = body.slice(0, BODY_LENGTH_MAX).trim();
  throw ill(check, `it answered ${statusCode}${said === '' ? '' : `: ${said}`}`);
}

async function askTcp(
  servers: ServerAdoption,
  scope: GenerationScope,
  { address, timeoutMs }: { readonly address: string; readonly timeoutMs: number },
): Promise<void> {
  const check = `of ${address}`;
  const problem = await servers.connect(scope, { address, timeoutMs, keptMs: KEPT_MS });
  if (problem !== null) throw ill(check, problem);
}

function ill(check: string, what: string, cause?: unknown): MidflightError {
  return new MidflightError('ERR_MIDFLIGHT_HEALTH_FAILED', [check, what], { cause });
}
