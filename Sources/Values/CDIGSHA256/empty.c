#include "CDIGSHA256.h"
