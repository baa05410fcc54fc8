// Has the AsyncAPI project's own parser look at a document: node tools/asyncapi.cjs FILE
// Prints what it finds, and fails when that is an error or a warning. Examples are then held to their
// schemas, which the parser does not do for version 3.
'use strict';

const fs = require('fs');
const path = require('path');

// Where npm put its packages: beside the commands that PATH leads to (see scripts/tools-path).
const folders = process.env.PATH.split(path.delimiter).map((folder) => path.dirname(folder));
const parser = require.resolve('@asyncapi/parser', { paths: folders.concat(__dirname) });
const ofParser = (name) => require(require.resolve(name, { paths: [parser] }));
const { Parser } = require(parser);
const Ajv = ofParser('ajv').default;
const addFormats = ofParser('ajv-formats').default;

// Severities 2 and 3 are remarks, such as that there is a newer version of AsyncAPI.
const WARNING = 1;

function wrongExamples(document) {
    const ajv = addFormats(new Ajv({ allErrors: true, strict: false }));
    return document.allMessages().all().flatMap((message) => {
        const isRight = ajv.compile(message.payload().json());
        return message.examples().all().flatMap((example) => {
            const errors = isRight(example.payload()) ? [] : isRight.errors;
            return errors.map((error) => `example of ${message.name()}${error.instancePath}: ${error.message}`);
        });
    });
}

async function main() {
    const { document, diagnostics } = await new Parser().parse(fs.readFileSync(process.argv[2], 'utf8'));
    const problems = diagnostics
        .filter(({ severity }) => severity <= WARNING)
        .map(({ code, message, path: where }) => `${where.join('.')}: ${message} (${code})`);
    if (document) {
        problems.push(...wrongExamples(document));
    }
    problems.forEach((problem) => console.log(problem));
    return document && problems.length === 0 ? 0 : 1;
}

main().then((code) => process.exit(code));
