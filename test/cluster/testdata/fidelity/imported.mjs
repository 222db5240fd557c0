console.log('imported', process.argv.length);
