/** The main file of a supervisor, which a keeper starts with one argument: its settings as JSON. */

import { readFileSync } from 'node:fs';
import type { StartSettings } from '../console/start-keeper.ts';
import { protocols } from '../protocol/versions.ts';
import { logJson, logLine, outliveReaders, reportFailure } from './output.ts';

const [argument = ''] = process.argv.slice(2);
if (argument === '--protocols')
  process.stdout.write(`${JSON.stringify({ version: readVersion(), protocols })}\n`);
else await run(JSON.parse(argument) as StartSettings);

async function run(settings: StartSettings): Promise<never> {
  outliveReaders();
  process.title = 'midflight supervisor';
  const log = settings.isJson ? logJson : logLine;
  const { greetKeeper } = await import('../supervisor/keeper-client.ts');
  const keeper = await greetKeeper();
  void keeper.lost.then(() => {
    log(
      'the keeper has ended, so this ends, too; what serves goes on, and "midflight start" takes over from it',
    );
    process.exit(1);
  });
  try {
    const { startApp } = await import('../console/start-app.ts');
    const outcome = await startApp({ settings, keeper, version: readVersion(), log });
    if (outcome.type === 'replaced') process.exit(0);
    process.exitCode = outcome.exitCode;
  } catch (error) {
    reportFailure(error, settings.isJson);
  }
  await keeper.stopped();
  process.exit();
}

function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
