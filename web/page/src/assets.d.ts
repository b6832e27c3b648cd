declare module "*.inv?inline" {
  /** A data URL of the file. */
  const address: string;
  export default address;
}
