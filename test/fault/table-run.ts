/** Runs cells of the fault table, each as a test of its own. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { FaultApp, type Cell } from './fault-app.ts';
import { columns, faultTable } from './fault-table.ts';
import type { FaultPath } from './scenarios.ts';

/** So many supervisors are killed before another app takes over: the keeper's back-off grows. */
const SUPERVISOR_KILLS_MAX = 2;

export function cellsOf(faultPath: FaultPath): readonly Cell[] {
  return Object.entries(faultTable[faultPath]).flatMap(([step, row]) =>
    columns.flatMap((victim, index) => (row[index] === '-' ? [] : [{ step, victim }])),
  );
}

export function testTable(faultPath: FaultPath, cells: readonly Cell[]): void {
  describe(`a ${faultPath}`, () => {
    let app: FaultApp | null = null;
    let killCount = 0;
    before(async () => void (app = await FaultApp.start(faultPath)));
    after(async () => app?.dispose());

    test('takes the steps of the table, and no others', async () => {
      assert.deepEqual((await app?.steps())?.toSorted(), Object.keys(faultTable[faultPath]).toSorted());
    });

    for (const { step, victim } of cells) {
      const expected = faultTable[faultPath][step]?.[columns.indexOf(victim)] ?? '';
      test(`${toName(victim)} killed at "${step}": ${expected}`, async () => {
        if (app === null || (victim === 'supervisor' && killCount++ >= SUPERVISOR_KILLS_MAX)) {
          await app?.dispose();
          killCount = 0;
          app = await FaultApp.start(faultPath);
        }
        const used = app;
        try {
          const outcome = await used.kill({ step, victim });
          assert.ok(expected.split('|').includes(outcome), `it is ${outcome}`);
        } catch (error) {
          app = null;
          await used.dispose();
          throw Object.assign(error as Error, { log: used.log().slice(-4_000) });
        }
      });
    }
  });
}

function toName(victim: Cell['victim']): string {
  return victim === 'old' || victim === 'new' ? `a worker with the ${victim} code` : `the ${victim}`;
}
