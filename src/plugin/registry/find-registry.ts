/** Which registry is meant: the one that is named, else that of the app's configuration, else the app's own. */

import path from 'node:path';
import { findConfig } from '../../release/config-file.ts';

/** `named` is relative to the working directory, `plugins.registry` of the configuration to the app's.
 *  Errors: ERR_MIDFLIGHT_CONFIG_INVALID, ERR_MIDFLIGHT_CONFIG_UNREADABLE. */
export async function findRegistry(appDirectory: string, named?: string): Promise<string> {
  if (named !== undefined) return path.resolve(named);
  return path.resolve(appDirectory, (await readSetting(appDirectory)) ?? path.join('.midflight', 'plugins'));
}

async function readSetting(appDirectory: string): Promise<string | undefined> {
  // Where there is none, a service need not load what checks it.
  if (findConfig(appDirectory) === undefined) return undefined;
  const { readPluginSettings } = await import('../../release/config.ts');
  return (await readPluginSettings(appDirectory)).registry;
}
