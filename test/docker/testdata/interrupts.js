// Counts interrupts and the terminal's columns, until it reads a line.
let interrupts = 0;
process.on('SIGINT', () => console.log(`interrupt ${++interrupts}`));
process.stdout.on('resize', () => console.log(`columns ${process.stdout.columns}`));
process.stdin.on('data', () => process.exit(interrupts));
console.log('waiting');
