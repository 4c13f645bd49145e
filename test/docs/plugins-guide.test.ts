/** docs/guide/plugins.md, as somebody does it who reads it. */

import { test } from 'node:test';
import { followPage } from './reader.ts';

const page = 'docs/guide/plugins.md';

test(`what ${page} tells to do comes to what it says`, async (t) => followPage(t, page));
