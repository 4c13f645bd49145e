/**
 * What becomes of a deploy when one of the processes is killed before a step: which release serves afterwards, and what the history
 * says of it. A step is whatever crosses the border of the supervisor (test/fault/stepping/); those of a deploy in which nobody is killed
 * have to be the rows of this table.
 */

import type { FaultPath, Victim } from './fault-app.ts';

/** `old committed` and the like; `-` where there is no such process, `|` where either may come first. */
export type Row = readonly [keeper: string, supervisor: string, oldWorker: string, newWorker: string];

export const columns: readonly Victim[] = ['keeper', 'supervisor', 'old', 'new'];

export const faultTable: Readonly<Record<FaultPath, Readonly<Record<string, Row>>>> = {
  // The old workers are those that serve, and get the new code.
  swap: {
    'tell fetch': ['old interrupted', 'old interrupted', 'new committed', '-'],
    'tell install': ['old interrupted', 'old interrupted', 'new committed', '-'],
    'tell build': ['old interrupted', 'old interrupted', 'new committed', '-'],
    'tell plan': ['old interrupted', 'old interrupted', 'new committed', '-'],
    'note preparing': ['old interrupted', 'old interrupted', 'new committed', '-'],
    'ask old to prepare': ['old interrupted', 'old interrupted', 'new committed', '-'],
    'old answers prepare': ['old interrupted', 'old interrupted', 'old rolled-back|new committed', '-'],
    'note probation': ['old interrupted', 'old interrupted', 'old rolled-back', '-'],
    'ask old to commit': ['old interrupted', 'old interrupted', 'old rolled-back', '-'],
    'old answers commit': ['old interrupted', 'old interrupted', 'old rolled-back', '-'],
    'tell commit': ['old interrupted', 'old interrupted', 'old rolled-back', '-'],
    'note proved': ['new committed', 'old interrupted', 'new committed', '-'],
    'ask old to prove': ['new committed', 'new interrupted', 'new committed', '-'],
    'ask old to status': ['new committed', 'new interrupted', 'new committed', '-'],
    'tell passed': ['new committed', 'new interrupted', 'new committed', '-'],
    'old answers status': ['new committed', 'new committed', 'new committed', '-'],
    'old answers prove': ['new committed', 'new committed', 'new committed', '-'],
  },
  handoff: {
    'tell fetch': ['old interrupted', 'old interrupted', 'new committed', '-'],
    'tell install': ['old interrupted', 'old interrupted', 'new committed', '-'],
    'tell build': ['old interrupted', 'old interrupted', 'new committed', '-'],
    'tell plan': ['old interrupted', 'old interrupted', 'new committed', '-'],
    'note preparing': ['old interrupted', 'old interrupted', 'new committed', '-'],
    'spawn new': ['old interrupted', 'old interrupted', 'new committed', '-'],
    'spawned new': ['old interrupted', 'old interrupted', 'new committed', 'old rejected'],
    'ask old to states': ['old interrupted', 'old interrupted', 'new committed', 'old rejected'],
    'old answers states': ['old interrupted', 'old interrupted', 'old rejected', 'old rejected'],
    'ask new to receiveState': ['old interrupted', 'old interrupted', 'old rejected', 'old rejected'],
    'new says hello': ['old interrupted', 'old interrupted', 'old rejected', 'old rejected'],
    'new answers receiveState': ['old interrupted', 'old interrupted', 'old rejected', 'old rejected'],
    'ask old to sendState': ['old interrupted', 'old interrupted', 'old rejected', 'old rejected'],
    'old answers sendState': ['old interrupted', 'old interrupted', 'old rejected', 'old rejected'],
    'ask new to prepare': ['old interrupted', 'old interrupted', 'old rejected', 'old rejected'],
    'new answers prepare': ['old interrupted', 'old interrupted', 'old rejected', 'old rejected'],
    'note passing': ['old interrupted', 'old interrupted', 'old rejected', 'old rejected'],
    'note committing': ['old interrupted', 'old interrupted', 'new committed', 'new committed'],
    'ask new to commit': ['old interrupted', 'old interrupted', 'new committed', 'new committed'],
    'new answers commit': ['old interrupted', 'old interrupted', 'new committed', 'old rolled-back'],
    'note probation': ['old interrupted', 'old interrupted', 'new committed', 'old rolled-back'],
    'route from old': ['old interrupted', 'old interrupted', 'new committed', 'old rolled-back'],
    'ask old to carry': ['old interrupted', 'old interrupted', 'new committed', 'old rolled-back'],
    'ask old to pause': ['old interrupted', 'old interrupted', 'new committed', 'old rolled-back'],
    'old answers carry': ['old interrupted', 'old interrupted', 'new committed', 'old rolled-back'],
    'old answers pause': ['old interrupted', 'old interrupted', 'new committed', 'old rolled-back'],
    'ask old to unhold': ['old interrupted', 'old interrupted', 'new committed', 'old rolled-back'],
    'tell commit': ['old interrupted', 'old interrupted', 'new committed', 'old rolled-back'],
    'old answers unhold': ['old interrupted', 'old interrupted', 'new committed', 'old rolled-back'],
    'note proved': ['new committed', 'old interrupted', 'new committed', 'new committed'],
    'note proved, some leave': ['new committed', 'new interrupted', 'new committed', 'new committed'],
    'ask old to drain': ['new committed', 'new interrupted', 'new committed', 'new committed'],
    'ask new to prove': ['new committed', 'new interrupted', 'new committed', 'new committed'],
    'ask new to status': ['new committed', 'new interrupted', 'new committed', 'new committed'],
    'ask old to status': ['new committed', 'new interrupted', 'new committed', 'new committed'],
    'tell passed': ['new committed', 'new interrupted', 'new committed', 'new committed'],
    'old answers drain': ['new committed', 'new committed', 'new committed', 'new committed'],
    'old answers status': ['new committed', 'new committed', 'new committed', 'new committed'],
    'end old': ['new committed', 'new committed', 'new committed', 'new committed'],
    'new answers prove': ['new committed', 'new committed', 'new committed', 'new committed'],
    'new answers status': ['new committed', 'new committed', 'new committed', 'new committed'],
  },
};
