/** The main job, to watch: a real service takes five deploys under load, good ones and bad ones, and no request fails. */

import { styleText } from 'node:util';
import { createTestApp } from '../test/support/app.ts';
import { runStep, type StepOutcome } from './demo/step.ts';
import { demoConfig, steps } from './demo/steps.ts';
import { toTable } from './demo/table.ts';
import { startLoad } from './load/load.ts';
import type { LoadReport } from './load/tally.ts';

const clients = { keepAlive: 8, newConnection: 4, slow: 2, webSocket: 6 } as const;

const say = (text: string): void => console.log(styleText('bold', text));

let isOver = false;
const app = await createTestApp({
  from: 'examples/chat',
  files: {},
  config: demoConfig,
  onOutput(text) {
    if (!isOver) process.stdout.write(styleText('dim', text.replaceAll(/^(?=.)/gm, '    ')));
  },
});
process.once('SIGINT', () => {
  isOver = true;
  void app.dispose().finally(() => process.exit(130));
});

try {
  process.exitCode = (await play()) ? 0 : 1;
} finally {
  isOver = true;
  await app.dispose();
}

/** True when every step came out as it must and no request failed. */
async function play(): Promise<boolean> {
  say('A chat service (Fastify, ws) in a git repository of its own starts under Midflight');
  await app.start();
  const load = startLoad({ origin: app.origin, clients, slowPath: '/?ms=300' });
  await load.waitForVersion('1');
  const counts = Object.entries(clients).map(([kind, count]) => `${count} ${kind}`);
  say(`\nStrict clients, which never try again, go to work: ${counts.join(', ')}`);
  const outcomes: StepOutcome[] = [];
  for (const step of steps) {
    say(`\n${step.title}`);
    outcomes.push(await runStep(step, app, load));
  }
  const report = await load.stop();
  tell(outcomes, report);
  return report.failed === 0 && outcomes.every(({ unexpected }) => unexpected === null);
}

function tell(outcomes: readonly StepOutcome[], { failures, latencyMs, failed }: LoadReport): void {
  say(`\n${toTable(outcomes)}\n`);
  for (const { kind, reason, at } of failures) console.log(`${at} ${kind}: ${reason}`);
  for (const { title, unexpected } of outcomes)
    if (unexpected !== null) console.log(`${title}: ${unexpected}`);
  const { p50, p99, max } = latencyMs;
  console.log(`latency: median ${p50.toFixed(1)} ms, 99 % ${p99.toFixed(1)} ms, worst ${max.toFixed(1)} ms`);
  console.log(`failed requests: ${failed}`);
}
