const text: string = 'typed'; console.log(text, import.meta.main);
