// Answers on standard output what comes on standard input, as MCP servers do (n8n-mcp#711).
'use strict';
const lines = require('readline').createInterface({ input: process.stdin });
lines.on('line', (line) => {
  try {
    console.log(`pong ${JSON.parse(line).id}`);
  } catch {
    console.log('torn');
  }
});
