// Prints what Node has loaded before this.
'use strict';
const loaded = process.moduleLoadList.join('\n');
console.log('');
process.once('exit', () => {
  const now = process.moduleLoadList.join('\n');
  console.log(now.includes('child_process') ? now : loaded);
});
