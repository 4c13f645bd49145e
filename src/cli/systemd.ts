import type { Command } from 'commander';
import { userInfo } from 'node:os';
import { fileURLToPath } from 'node:url';
import { callControl } from '../console/control-client.ts';
import { toHome } from '../release/home.ts';
import { print, printJson } from './output.ts';

interface SystemdOptions {
  readonly user?: string;
  readonly socket?: readonly string[] | true;
  readonly json: boolean;
}

export function addSystemd(program: Command): void {
  program
    .command('systemd')
    .description('print a unit of systemd that runs the app in this directory')
    .argument('[ref]', 'what to deploy', 'HEAD')
    .option('--user <name>', 'who runs it, you if it is not said')
    .option('--socket [addresses...]', 'the unit of the sockets instead, which systemd holds for the app')
    .option('--json', 'one JSON object', false)
    .action(async (ref: string, { user, socket, json }: SystemdOptions) => {
      const { toServiceUnit, toSocketUnit } = await import('../console/systemd-unit.ts');
      const { readConfig } = await import('../release/config.ts');
      const appDirectory = process.cwd();
      const config = await readConfig(appDirectory);
      const unit =
        socket === undefined
          ? toServiceUnit({
              appDirectory,
              config,
              ref,
              user: user ?? userInfo().username,
              nodeFile: process.execPath,
              commandFile: fileURLToPath(new URL('../../bin/midflight.js', import.meta.url)),
            })
          : toSocketUnit(
              appDirectory,
              socket === true ? await findAddresses(appDirectory, config.listen) : socket,
            );
      if (json) printJson(unit);
      else print(unit.unit.trimEnd());
    });
}

/** Of the configuration, else of what runs here. */
async function findAddresses(appDirectory: string, listen: readonly string[]): Promise<readonly string[]> {
  if (listen.length > 0) return listen;
  const call = callControl(toHome(appDirectory), { method: 'GET', path: '/status' });
  const status = (await call.catch(() => ({ listeners: [] }))) as {
    readonly listeners: readonly { readonly address: string }[];
  };
  return status.listeners.map(({ address }) => address);
}
