#include "trainers/cli/cli.h"

int main(int argc, char** argv) { return mica::trainers::run_program(argc, argv); }
