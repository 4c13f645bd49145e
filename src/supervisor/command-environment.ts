/** What commands of a release, such as hooks and health checks, find in their environment: what programs need to run, what they are
 *  told, and none of the service's secrets. */

const passedNames = new Set([
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'SHELL',
  'TMPDIR',
  'TZ',
  'LANG',
  'NODE_EXTRA_CA_CERTS',
]);

/** `told` is given by names without their `MIDFLIGHT_`. */
export function toCommandEnvironment(
  environment: NodeJS.ProcessEnv,
  told: Readonly<Record<string, string>>,
): NodeJS.ProcessEnv {
  const passed = Object.entries(environment).filter(
    ([name]) => passedNames.has(name) || name.startsWith('LC_'),
  );
  const facts = Object.entries(told).map(([name, value]) => [`MIDFLIGHT_${name}`, value] as const);
  return Object.fromEntries([...passed, ...facts]);
}
