import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTypeProblems } from '../../src/dev/type-check.ts';

const output = `src/a.ts(2,7): error TS2322: Type 'number' is not assignable to type 'string'.
src/b (old).ts(1,1): error TS2345: Argument of type 'A' is not assignable to parameter of type 'B'.
  Types of property 'x' are incompatible.
    Type 'number' is not assignable to type 'string'.
error TS5058: The specified path does not exist.
`;

test('what the compiler prints is read with its continuation lines, and framed by the source', () => {
  const problems = parseTypeProblems(output, (at) =>
    at === 'src/a.ts' ? ['one', 'const two = 2;', 'three', 'four'] : [],
  );
  assert.deepEqual(
    problems.map(({ path, line, column }) => [path, line, column]),
    [
      ['src/a.ts', 2, 7],
      ['src/b (old).ts', 1, 1],
    ],
  );
  assert.equal(
    problems[0]?.frame,
    [' 1 | one', ' 2 | const two = 2;', '   |       ^', ' 3 | three'].join('\n'),
  );
  assert.match(problems[1]?.message ?? '', /^TS2345: [\s\S]*to type 'string'\.$/);
  assert.equal(problems[1]?.frame, '');
});
