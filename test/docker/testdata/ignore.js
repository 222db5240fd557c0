// Ignores every request to stop.
process.on('SIGTERM', () => console.log('SIGTERM ignored'));
setInterval(() => {}, 1 << 30);
console.log('up');
