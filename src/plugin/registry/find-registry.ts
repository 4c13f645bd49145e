/** Which registry is meant: the one that is named, else that of the app's configuration, else the app's own. */

import path from 'node:path';

/** `named` is relative to the working directory, `plugins.registry` of the configuration to the app's.
 *  Errors: ERR_MIDFLIGHT_CONFIG_INVALID, ERR_MIDFLIGHT_CONFIG_UNREADABLE. */
export async function findRegistry(appDirectory: string, named?: string): Promise<string> {
  if (named !== undefined) return path.resolve(named);
  const { readPluginSettings } = await import('../../release/config.ts');
  const { registry } = await readPluginSettings(appDirectory);
  return path.resolve(appDirectory, registry ?? path.join('.midflight', 'plugins'));
}
