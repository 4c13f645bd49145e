import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toVisible } from '../../src/cli/visible-text.ts';

test('lines, tabs and colours are shown as they are', () => {
  const text = '\u001B[1m\u001B[31mrejected\u001B[39m\u001B[22m\tüber\r\n\u001B[1;33mwarn\u001B[0m 日本';
  assert.equal(toVisible(text), text);
});

test('what would move, clear, hide or turn around text is written out', () => {
  const shown: Readonly<Record<string, string>> = {
    'evil\u001B[2K\rfine.js': 'evil\\u001b[2K\\u000dfine.js',
    'a\u001B[1A\u001B[8mb\u001B[40;30mc': 'a\\u001b[1A\\u001b[8mb\\u001b[40;30mc',
    '\u001B]8;;http://example.org\u0007link': '\\u001b]8;;http://example.org\\u0007link',
    'c1 \u009B2K, bell \u0007, back \b, bidi \u202E':
      'c1 \\u009b2K, bell \\u0007, back \\u0008, bidi \\u202e',
  };
  for (const [text, visible] of Object.entries(shown)) assert.equal(toVisible(text), visible);
});
