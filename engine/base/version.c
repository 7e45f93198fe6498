#include "config.h"

#include "engine/busbar.h"

const char *bb_version(void)
{
    return PACKAGE_VERSION;
}
