// Runs a command as npm does.
require('child_process').spawn(process.execPath, process.argv.slice(2), { stdio: 'inherit' })
  .on('exit', (code) => { process.exitCode = code ?? 99; });
