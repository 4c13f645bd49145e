/** Whether a generation answers its health check as one that is well. */

import { MidflightError } from '../errors.ts';
import type { HealthCheck } from '../protocol/messages.ts';
import type { GenerationScope } from './generation-scope.ts';
import type { ServerAdoption } from './servers/server-adoption.ts';

/** Errors: ERR_MIDFLIGHT_HEALTH_FAILED when it does not, or not in time. */
export async function checkHealth(
  servers: ServerAdoption,
  scope: GenerationScope,
  health: HealthCheck,
): Promise<void> {
  const answer = await servers.probe(scope, health).catch((error: unknown) => {
    throw new MidflightError('ERR_MIDFLIGHT_HEALTH_FAILED', [health.path, String(error)], { cause: error });
  });
  if (answer.statusCode >= 200 && answer.statusCode < 400) return;
  throw new MidflightError('ERR_MIDFLIGHT_HEALTH_FAILED', [health.path, `it answered ${answer.statusCode}`]);
}
