#!/usr/bin/env node
// What a keeper starts; "midflight start" runs the keeper.
void import('../dist/cli/supervisor-main.js');
