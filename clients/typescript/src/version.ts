/** The version of this package, which is that of the coordinators that it is made with. */
export const VERSION = "0.1.0";
