# Read by OpenThread's project(), whose library does not exist yet.
cmake_language(DEFER CALL target_precompile_headers openthread-ftd PRIVATE "<instance/instance.hpp>")
