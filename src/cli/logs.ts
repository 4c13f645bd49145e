import { InvalidArgumentError, type Command } from 'commander';
import { once } from 'node:events';
import path from 'node:path';
import { followAppLog, readAppLog } from '../console/read-app-log.ts';
import { toHome } from '../release/home.ts';
import { watchInterrupt } from './interrupted.ts';
import { printJson } from './output.ts';

const NEWLINE = 0x0a;

interface LogsOptions {
  readonly lines: number;
  readonly follow: boolean;
  readonly json: boolean;
}

export function addLogs(program: Command): void {
  program
    .command('logs')
    .description('what the app has printed')
    .option('--lines <count>', 'how many of the last lines', toCount, 50)
    .option('--follow', 'and what it prints from now on, until Ctrl-C', false)
    .option('--json', 'each line as one JSON object', false)
    .action(async ({ lines, follow, json }: LogsOptions) => {
      const options = {
        file: path.join(toHome(process.cwd()).logs, 'app.log'),
        lineCount: lines,
        write: json ? createJsonWriter() : write,
      };
      if (!follow) return readAppLog(options);
      await followAppLog(options, watchInterrupt());
    });
}

async function write(lines: Buffer): Promise<void> {
  if (!process.stdout.write(lines)) await once(process.stdout, 'drain');
}

function createJsonWriter(): (lines: Buffer) => void {
  let begun = Buffer.alloc(0);
  return (lines) => {
    const text = Buffer.concat([begun, lines]);
    const end = text.lastIndexOf(NEWLINE) + 1;
    begun = text.subarray(end);
    if (end === 0) return;
    const whole = text.subarray(0, end - 1).toString();
    for (const line of whole.split('\n')) printJson({ line });
  };
}

function toCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 0) return count;
  throw new InvalidArgumentError('It must be a whole number, 0 or above.');
}
