/**
 * Claim: a good release does not go back because it is new. Deploys releases that differ by a line, by swap and by handoff in turn, to examples under
 * load, and compares what was measured before and after: each deploy by itself, and every before with every after of its example.
 */

import { startLoad } from '../scripts/load/load.ts';
import { compareSamples } from '../src/deploy/compare-samples.ts';
import type { Evidence } from '../src/deploy/evidence.ts';
import { createTestApp, readRepositoryFile } from '../test/support/app.ts';

const examples = [
  { name: 'time-service', entry: 'server.ts', paths: ['swap', 'handoff'] },
  // Its state is of a class of its own, which no other process would know.
  { name: 'hot-rules', entry: 'server.ts', paths: ['swap'] },
] as const;
const DEPLOY_COUNT = Number(process.argv[2] ?? 10);

for (const { name, entry, paths } of examples) {
  const app = await createTestApp({
    from: `examples/${name}`,
    files: {},
    config: { probationMs: 5_000, keep: 2, policy: { probation: 'compare' } },
  });
  await app.start();
  const load = startLoad({ origin: app.origin, clients: { keepAlive: 8, newConnection: 2 }, thinkMs: 2 });
  const figures: NonNullable<Evidence['probation']>[] = [];
  const results: string[] = [];
  try {
    // The first baseline.
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    for (let count = 0; count < DEPLOY_COUNT; count++) {
      app.commit({
        [entry]: `${readRepositoryFile(`examples/${name}/${entry}`)}\nObject(globalThis).deployCount = ${count};\n`,
      });
      const path = paths[count % paths.length] ?? 'swap';
      const { json } = await app.midflight('deploy', '--json', '--path', path);
      results.push(String(json['result']));
      if (json['result'] !== 'committed') console.error(JSON.stringify(json));
      const [{ id }] = (await app.midflight('history', '--json')).json as unknown as [{ id: number }];
      const { evidence } = (await app.midflight('history', String(id), '--json')).json;
      const { probation = null } = Object(evidence) as Partial<Evidence>;
      if (probation !== null) figures.push(probation);
    }
  } finally {
    await load.stop();
    await app.dispose();
  }
  const pairs = figures.flatMap(({ before }) =>
    figures.map(({ after }) => compareSamples(before, after, [after, after, after])),
  );
  const tally = (of: readonly { readonly verdict: string }[]): Record<string, number> =>
    Object.fromEntries(
      ['better', 'same', 'worse', 'inconclusive'].map((verdict) => [
        verdict,
        of.filter((each) => each.verdict === verdict).length,
      ]),
    );
  const answers = figures.map(({ after }) => after.answerCount);
  const worse = pairs.flatMap(({ aspects }) => aspects.filter(({ verdict }) => verdict === 'worse'));
  console.log(
    JSON.stringify({
      node: process.version,
      example: name,
      deploys: results.length,
      wentBack: results.filter((result) => result === 'rolled-back').length,
      verdicts: tally(figures),
      pairs: tally(pairs),
      worse: worse.map(({ message, code }) => `${code} ${message}`).slice(0, 10),
      answersAfter: [Math.min(...answers), Math.max(...answers)],
    }),
  );
}
