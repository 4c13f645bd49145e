/** What commands of a release, such as hooks and health checks, find in their environment: that of a build, and what they are told;
 *  none of the service's secrets. */

import { toBuildEnvironment } from '../release/build-environment.ts';

/** `told` is given by names without their `MIDFLIGHT_`. */
export function toCommandEnvironment(
  environment: NodeJS.ProcessEnv,
  told: Readonly<Record<string, string>>,
): NodeJS.ProcessEnv {
  const facts = Object.entries(told).map(([name, value]) => [`MIDFLIGHT_${name}`, value] as const);
  return { ...toBuildEnvironment(environment), ...Object.fromEntries(facts) };
}
