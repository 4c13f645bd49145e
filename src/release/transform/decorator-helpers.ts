/** What legacy decorators compile to, with TypeScript's own semantics; put into the modules that use them. */

const decorate = `function(decorators,target,key,desc){
const count=arguments.length;
let result=count<3?target:desc===null?desc=Object.getOwnPropertyDescriptor(target,key):desc;
if(typeof Reflect==="object"&&typeof Reflect.decorate==="function")result=Reflect.decorate(decorators,target,key,desc);
else for(let i=decorators.length-1;i>=0;i--){
const decorator=decorators[i];
if(decorator)result=(count<3?decorator(result):count>3?decorator(target,key,result):decorator(target,key))||result;
}
if(count>3&&result)Object.defineProperty(target,key,result);
return result}`;

const decorateMetadata = `function(key,value){
if(typeof Reflect==="object"&&typeof Reflect.metadata==="function")return Reflect.metadata(key,value)}`;

const decorateParam = 'function(index,decorator){return function(target,key){decorator(target,key,index)}}';

const onOneLine = (text: string): string => text.replaceAll('\n', '');

/** Each as the text of one function on one line. */
export const decoratorHelpers = {
  decorate: onOneLine(decorate),
  decorateMetadata: onOneLine(decorateMetadata),
  decorateParam: onOneLine(decorateParam),
} as const;
