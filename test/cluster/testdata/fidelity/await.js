await 1; console.log('top');
