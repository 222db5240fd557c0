const text: string = 'typed'; console.log(text, require.main === module);
