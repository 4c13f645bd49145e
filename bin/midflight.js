#!/usr/bin/env node
// Kept to syntax that old Nodes can read, so that they can be told.
var major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  process.stderr.write(
    'midflight: ERR_MIDFLIGHT_NODE_TOO_OLD Midflight needs Node.js 24 or later; this is ' +
      process.version +
      '\n',
  );
  process.exit(1);
} else {
  void import('../dist/cli/main.js');
}
