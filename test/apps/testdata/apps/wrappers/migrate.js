// What has to be done before the server starts.
console.log('migrated');
