/** Some cells of the fault table, one for each process and kind of moment; `npm run nightly` goes through all of it. */

import { testTable } from './table-run.ts';

testTable('swap', [{ step: 'old answers prepare', victim: 'old' }]);
testTable('handoff', [
  { step: 'ask new to commit', victim: 'supervisor' },
  { step: 'ask old to pause', victim: 'new' },
  { step: 'note committing', victim: 'keeper' },
]);
